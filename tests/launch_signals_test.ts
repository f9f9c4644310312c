/** SIGTERM and SIGINT before the server runs, in the stages before the first blob. */
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertQuick } from "./quick.ts";
import { interrupt, start } from "./runner.ts";

/** Issue 5. */
const MOST_MS = 200;

/** A registry that takes one kind of request and never answers it. */
function silentRegistry(silent: (path: string) => boolean) {
  const asked = Promise.withResolvers<void>();
  const ending = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: ending.signal, onListen: () => {} },
    (request) => {
      const { pathname, origin } = new URL(request.url);
      if (silent(pathname)) {
        asked.resolve();
        return new Promise<Response>((resolve) => {
          ending.signal.addEventListener("abort", () => resolve(new Response()), { once: true });
        });
      }
      const challenge = `Bearer realm="${origin}/token",service="test"`;
      return new Response("{}", { status: 401, headers: { "www-authenticate": challenge } });
    },
  );
  return {
    host: `127.0.0.1:${server.addr.port}`,
    asked: asked.promise,
    async stop() {
      ending.abort();
      await server.finished;
    },
  };
}

const STAGES: Readonly<Record<string, (path: string) => boolean>> = {
  "the registry's first answer": () => true,
  "the token server's answer": (path) => path === "/token",
};

async function interrupted(
  signal: Deno.Signal,
  code: number,
  silent: (path: string) => boolean,
): Promise<number> {
  const registry = silentRegistry(silent);
  const root = await Deno.makeTempDir({ prefix: "root-" });
  await Deno.chmod(root, 0o755);
  const runner = start([], {
    env: { IMAGE: `${registry.host}/test/x:latest`, PORT: "3901", RUNNER_ROOT: root },
  });
  try {
    await Promise.race([registry.asked, runner.status]);
    const ms = await interrupt(runner, signal, code);
    assertEquals([...Deno.readDirSync(root)], []);
    return ms;
  } finally {
    await runner.stop();
    assert(runner.stderr().includes(`stopped by ${signal}`), runner.stderr());
    await registry.stop();
    await Deno.remove(root, { recursive: true });
  }
}

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  for (const [stage, silent] of Object.entries(STAGES)) {
    Deno.test(`${signal} while waiting for ${stage} ends the runner with ${code}`, async () => {
      await assertQuick(MOST_MS, 5, () => interrupted(signal, code, silent));
    });
  }
}
