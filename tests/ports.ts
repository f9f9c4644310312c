/** Ports this process has given out: two tests of one file never get the same one. */
const given = new Set<number>();

/** A TCP port on loopback that nothing listened on a moment ago. */
export function freePort(): number {
  for (;;) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
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
