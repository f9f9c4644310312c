import { assertEquals } from "@std/assert/equals.js";
import { PathSet } from "./path_set.ts";

const NUMBERS = Array.from({ length: 5000 }, (_, i) => i);

Deno.test("a set of paths knows what was added, also from its slots", () => {
  const set = new PathSet();
  for (const i of NUMBERS) assertEquals(set.add(`usr/share/${i}`), true, `${i}`);
  for (const i of NUMBERS) assertEquals(set.add(`usr/share/${i}`), false, `${i}`);
  assertEquals(set.size, NUMBERS.length);
  const copy = new PathSet(structuredClone(set.slots));
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
