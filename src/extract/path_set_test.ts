import { assert, assertEquals } from "@std/assert/mod.js";
import { Random } from "../../tests/extract/random.ts";
import { byteString } from "../bytes.ts";
import { hashPath } from "./path_hash.ts";
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

/** Of the bytes 0, 1, … with the key 0, 1, … 7, from the reference implementation's tests. */
const VECTORS: readonly (readonly [length: number, hash: string])[] = [
  [0, "218d1f59b9b83cc8"],
  [1, "be552412f8387315"],
  [2, "064f39ef7c50eb57"],
  [3, "ce0f1a45f7060679"],
  [4, "d5e78a175be52ea1"],
  [5, "cb9d7c3f2f3db580"],
  [7, "ff202728b07bc684"],
  [8, "edfee820bce4858c"],
  [63, "2ea63c71bf326087"],
];

Deno.test("paths are hashed by HalfSipHash-2-4", () => {
  for (const [length, hash] of VECTORS) {
    const path = byteString(Uint8Array.from({ length }, (_, i) => i));
    const bytes = new DataView(Uint8Array.fromHex(hash).buffer);
    const [low, high] = [bytes.getUint32(0, true), bytes.getUint32(4, true)];
    assertEquals(hashPath(path, [0x03020100, 0x07060504]), (high >>> 11) * 2 ** 32 + low + 1);
  }
});

Deno.test("paths that are much alike take no longer than others, and none is lost", () => {
  const time = (path: (i: number) => string) => {
    const started = performance.now();
    const set = new PathSet();
    for (let i = 0; i < 200_000; i++) set.add(path(i));
    assertEquals(set.size, 200_000);
    return performance.now() - started;
  };
  const random = new Random(7);
  const bytes = () => byteString(random.bytes(8));
  time(bytes);
  // Where they want one slot, they take a thousand times as long.
  for (const path of [String, (i: number) => `${"x".repeat(40)}${i * 1024}`]) {
    const ratio = time(path) / time(bytes);
    assert(ratio < 20, `${ratio}`);
  }
});
