import { statfs } from "node:fs/promises";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { everythingImage } from "../scripts/demo/everything.ts";
import { findNode } from "../scripts/demo/node.ts";
import { answering, converse, processFacts } from "../scripts/demo/server.ts";
import { ballast, dumpImage } from "./e2e_images.ts";
import { type Hub, openHub } from "./e2e_hub.ts";
import { peerTest } from "./peers.ts";
import { freePort } from "./ports.ts";
import { assertQuick, promised } from "./quick.ts";
import { writeLayout } from "./registry/layout.ts";
import { run, start } from "./runner.ts";

const AS_ROOT = Deno.uid() === 0;
const SERVER_UID = Deno.uid() || 1000;
const SERVER_GID = AS_ROOT ? 1000 : Deno.gid();
const PASSWORD = "right-pass-4711";

/** What DUMP printed: status fields of proc(5), and the environment as the kernel has it. */
function readDump(stdout: string) {
  const fields = new Map<string, string>();
  const env = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const variable = line.match(/^env ([^=]*)=(.*)$/);
    if (variable) env.set(variable[1] ?? "", variable[2] ?? "");
    const field = line.match(/^(\w+):\s*(.*)$/);
    if (field) fields.set(field[1] ?? "", field[2] ?? "");
  }
  const descriptors = stdout.split("\n").filter((line) => line.startsWith("fd "));
  return { fields, env, descriptors };
}

async function becomesServer(image: string, login: Record<string, string> = {}): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "root-" });
  await Deno.chmod(root, 0o755);
  try {
    const server = start(["--", "given", "args"], {
      env: {
        IMAGE: image,
        PORT: "3901",
        RUNNER_ROOT: root,
        MCP_ENV_GREETING: "hello",
        RUNNER_STALL_TIMEOUT: "20s",
        TZ: "UTC",
        SECRET_OF_THE_HOST: "x",
        ...login,
      },
    });
    const { code } = await server.status;
    await server.stop();
    const { fields, env, descriptors } = readDump(server.stdout());
    const told = server.stderr();
    assertEquals(code, 7, told);

    assertEquals(fields.get("pid"), String(server.pid));
    assertEquals(fields.get("Uid")?.split(/\s+/), Array(4).fill(String(SERVER_UID)));
    assertEquals(fields.get("Gid")?.split(/\s+/), Array(4).fill(String(SERVER_GID)));
    assertEquals(fields.get("Threads"), "1");
    assertEquals(descriptors, ["fd 0", "fd 1", "fd 2"]);
    assertEquals(fields.get("SigIgn"), "0000000000000000");
    assertEquals(fields.get("SigBlk"), "0000000000000000");
    assertEquals(fields.get("args"), "given args");
    assertEquals(fields.get("Cwd"), `${root}/app`);
    if (AS_ROOT) {
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        assertEquals(fields.get(set), "0000000000000000", set);
      }
      assertEquals(fields.get("NoNewPrivs"), "1");
      assertEquals(fields.get("Umask"), "0022");
      assert(["", "1000"].includes(fields.get("Groups")?.trim() ?? "?"));
    }

    const expected = { FROM_IMAGE: "yes", PORT: "3901", HOST: "0.0.0.0", GREETING: "hello" };
    for (const [name, value] of Object.entries(expected)) assertEquals(env.get(name), value, name);
    assertEquals(env.get("FASTMCP_PORT"), "3901");
    assertEquals(env.get("TZ"), "UTC");
    const foreign = [...env.keys()].filter((name) =>
      /^(REGISTRY|RUNNER|DENO|LD|SECRET|IMAGE|MCP_ENV|NODE)/.test(name)
    );
    assertEquals(foreign, []);
    for (const text of [server.stdout(), told]) assertEquals(text.includes(PASSWORD), false);
    assertEquals(await Deno.readTextFile(`${root}/app/hello.txt`), "hello\n");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("becomes the image's server, from the embedded registry", async () => {
  const hub = await openHub("embedded");
  try {
    await hub.put("test/dump", "latest", dumpImage());
    await becomesServer(`${hub.host}/test/dump:latest`);
  } finally {
    await hub.close();
  }
});

peerTest("becomes the image's server, from the distribution registry with a login", [
  "docker-registry",
  "skopeo",
  "htpasswd",
], async () => {
  const hub = await openHub("distribution", { alice: PASSWORD });
  try {
    await hub.put("test/dump", "latest", dumpImage());
    await becomesServer(`${hub.host}/test/dump:latest`, {
      REGISTRY_USER: "alice",
      REGISTRY_PASSWORD: PASSWORD,
    });
  } finally {
    await hub.close();
  }
});

Deno.test("becomes the image's server, from a layout on disk", async () => {
  const layout = await Deno.makeTempDir({ prefix: "layout-" });
  try {
    await writeLayout(layout, { ...dumpImage(), tag: "v1" });
    await becomesServer(`oci:${layout}:v1`);
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
});

/** An image of 65 MB serves MCP this soon after the start of the runner. */
const ANSWER_MS = promised(3_000, 60_000);

async function servesMcp(hub: Hub): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "everything-", dir: await fastDirectory() });
  await Deno.chmod(work, 0o755);
  try {
    const node = await findNode(SERVER_UID, `${work}/bin`);
    const image = await everythingImage(`${work}/npm`);
    const layers = [ballast(60e6), ...image.layers];
    await hub.put("mcp/everything", "latest", { config: image.config, layers });
    const times = await assertQuick(ANSWER_MS, 3, async () => {
      const root = await Deno.makeTempDir({ dir: work, prefix: "root-" });
      await Deno.chmod(root, 0o755);
      return await timeToAnswer(`${hub.host}/mcp/everything:latest`, root, node.path);
    });
    console.log(`    MCP answered after ${times}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** In memory where there is room: some disks take a millisecond for each of the 4,000 files. */
async function fastDirectory(): Promise<string> {
  const room = await statfs("/dev/shm").then(({ bavail, bsize }) => bavail * bsize, () => 0);
  return room > 1e9 ? "/dev/shm" : Deno.env.get("TMPDIR") ?? "/tmp";
}

/** From the start of the runner to the first answer of the server, which is then spoken to and stopped. */
async function timeToAnswer(image: string, root: string, node: string): Promise<number> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  const begin = performance.now();
  const server = start([], {
    env: {
      IMAGE: image,
      PORT: String(port),
      RUNNER_ROOT: root,
      MCP_ENV_PATH: `${node.slice(0, node.lastIndexOf("/"))}:/usr/local/bin:/usr/bin:/bin`,
    },
  });
  try {
    await answering(url, server.status, 60_000);
    const ms = performance.now() - begin;
    const { server: name, tools, echoed } = await converse(url);
    assertEquals(name.startsWith("Everything Reference Server"), true, name);
    assert(tools.includes("echo") && tools.length > 5, tools.join());
    assertEquals(echoed, "Echo: hello from the demo");
    const facts = await processFacts(server.pid);
    assertEquals(facts.get("Uid")?.split(/\s+/)[0], String(SERVER_UID));
    assertEquals(facts.get("Name"), "node");
    return ms;
  } catch (cause) {
    throw new Error(`the server did not serve:\n${server.stderr()}`, { cause });
  } finally {
    await server.stop();
  }
}

Deno.test("a real server answers MCP, from the embedded registry", async () => {
  const hub = await openHub("embedded");
  try {
    await servesMcp(hub);
  } finally {
    await hub.close();
  }
});

peerTest("a real server answers MCP, from the distribution registry", [
  "docker-registry",
  "skopeo",
], async () => {
  const hub = await openHub("distribution");
  try {
    await servesMcp(hub);
  } finally {
    await hub.close();
  }
});

Deno.test("pull extracts and starts nothing; again, it changes nothing", async () => {
  const hub = await openHub("embedded");
  const root = await Deno.makeTempDir({ prefix: "root-" });
  try {
    await hub.put("test/dump", "latest", dumpImage());
    for (let round = 0; round < 2; round++) {
      const { code, stdout, stderr } = await run(["pull", `${hub.host}/test/dump:latest`], {
        env: { RUNNER_ROOT: root },
      });
      assertEquals(code, 0, stderr);
      assertEquals(stdout, "");
      assertEquals([...Deno.readDirSync(root)].map(({ name }) => name), ["app"]);
      assertEquals(await Deno.readTextFile(`${root}/app/hello.txt`), "hello\n");
    }
  } finally {
    await hub.close();
    await Deno.remove(root, { recursive: true });
  }
});
