import { assert } from "@std/assert/assert.js";

/** A time that is promised, where nothing else runs beside the test (`.ci/run`), or another. */
export function promised(ms: number, elsewhere: number): number {
  return Deno.env.get("STRICT_TIMES") ? ms : elsewhere;
}

/**
 * Asserts that one of some attempts takes less than `limitMs`: tests of other files may run beside
 * this one. @returns their times, to print
 */
export async function assertQuick(
  limitMs: number,
  attempts: number,
  attempt: () => Promise<number>,
): Promise<string> {
  const times: number[] = [];
  while (times.length < attempts && !times.some((ms) => ms < limitMs)) times.push(await attempt());
  const list = times.map((ms) => `${Math.round(ms)} ms`).join(", ");
  assert(times.some((ms) => ms < limitMs), `${list}, where less than ${limitMs} ms is promised`);
  return list;
}
