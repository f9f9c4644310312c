import { assertEquals } from "@std/assert/equals.js";
import { assert } from "@std/assert/assert.js";
import { startDistributionRegistry } from "./distribution_registry.ts";
import { onPath, peerTest } from "./peers.ts";

Deno.test("onPath knows what is executable", () => {
  assert(onPath("sh"));
  assert(!onPath("no-such-program-of-ours"));
});

peerTest("the distribution registry starts, asks for a login, stops", [
  "docker-registry",
  "htpasswd",
], async () => {
  const open = await startDistributionRegistry();
  const closed = await startDistributionRegistry({ htpasswd: { alice: "s3cret", bob: "b" } });
  try {
    const anonymous = await fetch(`http://${open.host}/v2/`);
    assertEquals(anonymous.status, 200);
    await anonymous.body?.cancel();
    const refused = await fetch(`http://${closed.host}/v2/`);
    assertEquals(refused.status, 401);
    await refused.body?.cancel();
    for (const login of ["alice:s3cret", "bob:b"]) {
      const headers = { authorization: `Basic ${btoa(login)}` };
      const granted = await fetch(`http://${closed.host}/v2/`, { headers });
      assertEquals(granted.status, 200);
      await granted.body?.cancel();
    }
  } finally {
    await open.stop();
    await closed.stop();
  }
});
