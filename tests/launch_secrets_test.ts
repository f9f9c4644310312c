/** Where a secret could be found: while the pull is still under way, and in the server after it. */
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { compileDump, dumpLayout } from "./launch/dump.ts";
import { type PortableRunner, portableRunner } from "./launch/portable.ts";
import { peerTest, rootTest } from "./peers.ts";
import { execute, firstLine } from "./programs.ts";
import { withBasic } from "./registry/auth.ts";
import { registryHandler } from "./registry/registry.ts";

const PASSWORD = "hunter2-4711";
const KEY = "server-key-0815";
const SECRETS = [PASSWORD, KEY, btoa(`user:${PASSWORD}`)];

/** A registry with a login whose blobs above some KB stop half-way until they are released. */
function slowRegistry(layout: string) {
  const half = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const handler = withBasic(registryHandler({ "test/dump": layout }), "user", PASSWORD);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const response = await handler(request);
      const size = Number(response.headers.get("content-length") ?? 0);
      if (request.method !== "GET" || response.body === null || size < 50_000) return response;
      let sent = 0;
      const gate = new TransformStream<Uint8Array, Uint8Array>({
        async transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, 20_000));
          sent += chunk.length;
          half.resolve();
          await released.promise;
          controller.enqueue(chunk.subarray(20_000));
        },
      });
      return new Response(response.body.pipeThrough(gate), response);
    },
  );
  return {
    host: `127.0.0.1:${server.addr.port}`,
    half: half.promise,
    release: () => released.resolve(),
    stop: () => server.shutdown(),
  };
}

const decoder = new TextDecoder();

/** Everything of a process that /proc shows to whoever may look. */
function visible(pid: number): Record<string, string> {
  const read = (name: string) => decoder.decode(Deno.readFileSync(`/proc/${pid}/${name}`));
  const files = [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return ""; // Closed meanwhile.
    }
  });
  return {
    environ: read("environ"),
    cmdline: read("cmdline"),
    maps: read("maps"),
    descriptors: files.join("\n"),
  };
}

function assertNone(secrets: readonly string[], places: Record<string, string>): void {
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) {
      assertEquals(text.includes(secret), false, `${secret} in ${place}`);
    }
  }
}

interface Given {
  /** @param host the registry's */
  readonly env: (host: string) => Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

async function pullSlowly(
  { env, args }: Given,
  runner: PortableRunner,
  program: string,
  uid: number,
): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "secrets-" });
  const root = `${work}/root`;
  await dumpLayout(`${work}/layout`, program, { Entrypoint: ["/app/bin/dump"] });
  await Deno.chmod(work, 0o755);
  await Deno.mkdir(root);
  await Deno.chown(root, uid, uid);
  const registry = slowRegistry(`${work}/layout`);
  const [first, ...before] = runner.command;
  const become = uid === Deno.uid()
    ? []
    : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const [command = "", ...rest] = [...become, first, ...before, ...args];
  const child = new Deno.Command(command, {
    args: rest,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: "/nonexistent",
      ...runner.env,
      IMAGE: `${registry.host}/test/dump:latest`,
      PORT: "3901",
      RUNNER_ROOT: root,
      LOG_LEVEL: "debug",
      MCP_ENV_STAY: "1",
      ...env(registry.host),
    },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // The server's dump is one line, and then it stays.
  const stdout = firstLine(child.stdout);
  const stderr = new Response(child.stderr).text();
  let ended = false;
  child.status.then(() => ended = true);
  try {
    await Promise.race([registry.half, child.status]);
    const during = visible(child.pid);
    assert(during["environ"]?.includes("IMAGE="), "the environment is still there");
    assertNone(SECRETS, during);
    // Not even to another process of its own user: it is not dumpable.
    assertEquals(Deno.statSync(`/proc/${child.pid}/environ`).uid, 0);
    if (uid !== 0 && Deno.uid() === 0) {
      const other = ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"];
      for (const file of ["environ", "maps", "mem"]) {
        const path = `/proc/${child.pid}/${file}`;
        const { code, stderr } = await execute("setpriv", [...other, "cat", path]);
        assertEquals([code, stderr.includes("Permission denied")], [1, true], path);
      }
    }

    registry.release();
    const told = await stdout;
    assert(told.includes(`"STAY=1"`), "the server was told what it was to be told");
    assertNone([PASSWORD], { told });
    assertEquals(Deno.readLinkSync(`/proc/${child.pid}/exe`), `${root}/app/bin/dump`);
    const after = visible(child.pid);
    assertNone([PASSWORD, SECRETS[2] ?? ""], after);
    assertEquals(Object.values(after).join().match(/REGISTRY_|DOCKER_AUTH|deno/i), null);
  } finally {
    registry.release();
    if (!ended) child.kill("SIGKILL");
    await child.status;
    await registry.stop();
    await Deno.remove(work, { recursive: true });
  }
  assertNone(SECRETS, { log: await stderr });
}

const CASES: Readonly<Record<string, Given>> = {
  "by variables": {
    env: () => ({ REGISTRY_USER: "user", REGISTRY_PASSWORD: PASSWORD, MCP_ENV_API_KEY: KEY }),
    args: [],
  },
  "by DOCKER_AUTH_CONFIG": {
    env: (host) => ({
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [host]: { auth: SECRETS[2] } } }),
      MCP_ENV_API_KEY: KEY,
    }),
    args: [],
  },
  "by flags": {
    env: () => ({}),
    args: [
      ...["--registry-user", "user", "--registry-password", PASSWORD],
      ...["--mcp-env", `API_KEY=${KEY}`, `--mcp-env-other-key=${KEY}`],
    ],
  },
};

async function everywhere(t: Deno.TestContext, uid: number): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "portable-" });
  try {
    await Deno.chmod(dir, 0o755);
    const program = await compileDump(dir);
    const runner = await portableRunner(dir);
    for (const [name, given] of Object.entries(CASES)) {
      await t.step(name, () => pullSlowly(given, runner, program, uid));
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

peerTest(
  "no secret is visible during and after a pull",
  ["cc"],
  (t) => everywhere(t, Deno.uid() ?? 0),
);

rootTest(
  "no secret is visible during and after a plain user's pull",
  ["cc", "setpriv"],
  (t) => everywhere(t, 4321),
);
