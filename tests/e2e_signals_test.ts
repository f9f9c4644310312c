import { assertEquals } from "@std/assert/equals.js";
import { ballast, dumpImage } from "./e2e_images.ts";
import { openHub } from "./e2e_hub.ts";
import { startStallingProxy } from "./e2e_stalling_proxy.ts";
import { assertQuick } from "./quick.ts";
import { interrupt, start } from "./runner.ts";
import { listTree } from "./tree.ts";

/** Issue 5. */
const SOON_MS = 200;

/** Sends a signal to a pull that waits in the middle of a blob: how long it took to end, in ms. */
async function interrupted(signal: Deno.Signal, code: number): Promise<number> {
  const hub = await openHub("embedded");
  const proxy = startStallingProxy(hub.host, 100_000);
  const root = await Deno.makeTempDir({ prefix: "root-" });
  try {
    const image = dumpImage();
    const layers = [...image.layers, ballast(5e6)];
    await hub.put("test/slow", "latest", { ...image, layers });
    await Deno.chmod(root, 0o755);
    await Deno.mkdir(`${root}/app`);
    await Deno.writeTextFile(`${root}/app/mine.txt`, "mine");
    const before = listTree(root, { times: false });
    const server = start([], {
      env: { IMAGE: `${proxy.host}/test/slow:latest`, PORT: "3901", RUNNER_ROOT: root },
    });
    try {
      await Promise.race([proxy.stalled, server.status]);
      const ms = await interrupt(server, signal, code);
      assertEquals(listTree(root, { times: false }), before);
      return ms;
    } finally {
      await server.stop();
    }
  } finally {
    await proxy.stop();
    await hub.close();
    await Deno.remove(root, { recursive: true });
  }
}

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  Deno.test(`${signal} in the middle of a blob ends the pull with ${code}, at once`, async () => {
    await assertQuick(SOON_MS, 5, () => interrupted(signal, code));
  });
}
