import { assertEquals } from "@std/assert/equals.js";
import { answering, converse } from "../scripts/demo/server.ts";
import {
  buildVolumes,
  CONTAINER_PEERS,
  type Containers,
  containers,
  debianBase,
} from "./containers.ts";
import { type Hub, openHub } from "./e2e_hub.ts";
import { rootTest } from "./peers.ts";
import { eventually, freePort } from "./ports.ts";
import { succeed } from "./programs.ts";
import { tar } from "./registry/tar.ts";

const project = new URL("../", import.meta.url).pathname;

/** An image of one static file: a real MCP server made with the official Go SDK. */
async function putStaticServer(hub: Hub, folder: string): Promise<void> {
  await succeed("go", [
    "build",
    "-C",
    `${project}tests/go_server`,
    "-trimpath",
    "-o",
    `${folder}/server`,
  ], {
    env: { ...Deno.env.toObject(), CGO_ENABLED: "0" },
    timeoutMs: 300_000,
  });
  const content = await Deno.readFile(`${folder}/server`);
  await hub.put("mcp/static-go", "latest", {
    layers: [{ tar: tar([{ path: "app" }, { path: "app/server", content, mode: 0o755 }]) }],
    config: { Entrypoint: ["/app/server"], WorkingDir: "/app" },
  });
}

/** Starts a container that is to become the server, and speaks MCP to it from outside. */
async function servesMcp(on: Containers, name: string, hub: Hub, ...args: string[]): Promise<void> {
  const port = freePort();
  const image = `${hub.host}/mcp/static-go:latest`;
  await on.start(name, "--env", `IMAGE=${image}`, "--env", `PORT=${port}`, ...args);
  const ended = on.podman("wait", name).then(async ({ stdout }) => {
    const { stderr } = await on.podman("logs", name);
    return Promise.reject(new Error(`the container ended (${stdout.trim()}):\n${stderr}`));
  });
  const told = async () => {
    await answering(`http://127.0.0.1:${port}/mcp`, new Promise(() => {}), 30_000);
    return await converse(`http://127.0.0.1:${port}/mcp`);
  };
  ended.catch(() => {});
  const { server, tools, echoed } = await Promise.race([told(), ended]);
  assertEquals(server, "static-go 1.0.0");
  assertEquals(tools, ["echo"]);
  assertEquals(echoed, "Echo: hello from the demo");
}

rootTest(
  "an image FROM scratch, built from the Dockerfile, serves MCP under runc",
  [...CONTAINER_PEERS, "docker-registry", "skopeo", "go", "cc", "npm"],
  async (t) => {
    await using on = await containers();
    const hub = await openHub("distribution");
    try {
      await putStaticServer(hub, on.folder);
      await debianBase(on, "localhost/debian");
      await on.buildah(
        ...["bud", "--format", "docker", "--isolation", "chroot", "--target", "static"],
        ...["--build-arg", "BUILD_BASE=localhost/debian"],
        ...["--build-arg", `BUILDPLATFORM=linux/${architecture()}`],
        ...["--build-arg", `TARGETARCH=${architecture()}`],
        ...await buildVolumes(),
        ...["--tag", "localhost/fastmcp-runner:static", project],
      );
      await t.step("from scratch, with the default capabilities", async () => {
        await servesMcp(on, "scratch", hub, "localhost/fastmcp-runner:static");
        await eventually("the container is healthy", 20_000, async () => {
          const { code, stdout, stderr } = await on.podman("healthcheck", "run", "scratch");
          assertEquals(code, 0, stdout + stderr);
        });
      });
      await t.step("read-only but for /app, as a plain user", () =>
        servesMcp(
          on,
          "read-only",
          hub,
          ...["--read-only", "--user", "1000", "--tmpfs", "/app:exec,mode=0777"],
          "localhost/fastmcp-runner:static",
        ));
      await t.step("copied into a Debian image with another entrypoint", async () => {
        const context = `${on.folder}/debian`;
        await Deno.mkdir(context);
        await Deno.writeTextFile(
          `${context}/Dockerfile`,
          `FROM localhost/debian
COPY --from=localhost/fastmcp-runner:static /fastmcp-runner /opt/bin/runner
ENTRYPOINT ["/bin/sh", "-c", "exec /opt/bin/runner \\"$@\\"", "sh"]
`,
        );
        const tag = ["--tag", "localhost/copied", context];
        await on.buildah("bud", "--isolation", "chroot", ...tag);
        await servesMcp(on, "copied", hub, "--volume", "/usr:/usr:ro", "localhost/copied", "run");
      });
    } finally {
      await hub.close();
    }
  },
);

function architecture(): string {
  return Deno.build.arch === "aarch64" ? "arm64" : "amd64";
}
