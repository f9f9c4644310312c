import { assert } from "@std/assert/assert.js";

/** The best of some, since tests of other files may run beside this one. */
const ATTEMPTS = 5;

/**
 * A time that is promised: asked for where nothing else runs beside the test (`STRICT_TIMES`, as
 * `.ci/run` sets it), else ten times as long is allowed.
 */
export function promised(ms: number): number {
  return Deno.env.get("STRICT_TIMES") ? ms : 10 * ms;
}

/** Asserts that one of some attempts takes less than `limitMs`. @returns their times, to print */
export async function assertQuick(
  limitMs: number,
  attempt: () => Promise<number>,
): Promise<string> {
  const times: number[] = [];
  while (times.length < ATTEMPTS && !times.some((ms) => ms < limitMs)) times.push(await attempt());
  const list = times.map((ms) => `${Math.round(ms)} ms`).join(", ");
  assert(times.some((ms) => ms < limitMs), `${list}, where less than ${limitMs} ms is promised`);
  return list;
}
