/** Below what the kernel gives to who asks for any port, so that none of these is given so. */
const FIRST = 10_000;
const LAST = 32_000;
const BLOCK = 100;

/**
 * On the first port of a block that no other user of this module has, in this process (tests run
 * in parallel there, each file with its own globals) or in another; held to the end.
 */
const claim = claimBlock();
const block = (claim.addr as Deno.NetAddr).port;
let next = block;

function claimBlock(): Deno.Listener {
  for (let port = FIRST; port < LAST; port += BLOCK) {
    const listener = listens(port);
    if (listener !== undefined) return listener;
  }
  throw new Error(`no block of ports is free between ${FIRST} and ${LAST}`);
}

function listens(port: number): Deno.Listener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

/** A TCP port on loopback that nothing listened on a moment ago, and that nobody else is given. */
export function freePort(): number {
  for (let tries = 0; tries < BLOCK; tries++) {
    next = next + 1 < block + BLOCK ? next + 1 : block + 1;
    const listener = listens(next);
    listener?.close();
    if (listener !== undefined) return next;
  }
  throw new Error(`no port is free from ${block} on`);
}

/**
 * Resolves as soon as `attempt` does not throw.
 *
 * @param what For the error when `timeoutMs` has passed; its cause is the last failure
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  attempt: () => T | Promise<T>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
