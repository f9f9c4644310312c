import { assert, assertEquals } from "@std/assert/mod.js";
import { PathSet } from "./path_set.ts";

const NUMBERS = Array.from({ length: 5000 }, (_, i) => i);

Deno.test("a set of paths knows what was added, also in another isolate", () => {
  const set = new PathSet();
  for (const i of NUMBERS) assertEquals(set.add(`usr/share/${i}`), true, `${i}`);
  for (const i of NUMBERS) assertEquals(set.add(`usr/share/${i}`), false, `${i}`);
  assertEquals(set.size, NUMBERS.length);
  const copy = new PathSet(structuredClone(set.shared));
  for (const i of NUMBERS) {
    assertEquals([copy.has(`usr/share/${i}`), copy.has(`usr/lib/${i}`)], [true, false], `${i}`);
  }
});

Deno.test("sets of paths meet where one path is in both", () => {
  const set = new PathSet();
  const other = new PathSet();
  assertEquals(set.meets(other), false);
  for (const i of NUMBERS) set.add(`a/${i}`);
  for (const i of NUMBERS) other.add(`b/${i}`);
  assertEquals([set.meets(other), other.meets(set)], [false, false]);
  other.add("a/4999");
  assertEquals([set.meets(other), other.meets(set)], [true, true]);
});

/**
 * Paths of which FNV-1a, as it is published, makes one hash of 32 bits: block after block, two texts
 * that lead to the same state, by which the number of paths doubles.
 */
function collidingPaths(blocks: number): string[] {
  let state = 0x811c9dc5;
  let paths = [""];
  for (let block = 0; block < blocks; block++) {
    const seen = new Map<number, string>();
    for (let i = 0;; i++) {
      const text = i.toString(36).padStart(4, "0");
      let next = state;
      for (let j = 0; j < text.length; j++) next = Math.imul(next ^ text.charCodeAt(j), 0x01000193);
      const other = seen.get(next);
      seen.set(next, text);
      if (other === undefined) continue;
      paths = paths.flatMap((path) => [path + other, path + text]);
      state = next;
      break;
    }
  }
  return paths;
}

Deno.test("paths made to collide take no longer than others", () => {
  const time = (paths: readonly string[]) => {
    const started = performance.now();
    const set = new PathSet();
    for (const path of paths) set.add(path);
    assertEquals(set.size, paths.length);
    return performance.now() - started;
  };
  const hostile = collidingPaths(15);
  const others = hostile.map((path, i) => `${i}`.padStart(path.length, "x"));
  time(others);
  // Where they want one slot, 32,768 of them take a hundred times as long.
  const ratio = time(hostile) / time(others);
  assert(ratio < 20, `${ratio}`);
});
