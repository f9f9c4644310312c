import { assertEquals } from "@std/assert/equals.js";
import { basename, cleanPath, dirname, isWithin } from "./path.ts";

Deno.test("names are cleaned as if the archive's root were the world", () => {
  const cases: Readonly<Record<string, string>> = {
    "": "",
    "/": "",
    ".": "",
    "./": "",
    "..": "",
    "a": "a",
    "a/": "a",
    "./a//b/./c": "a/b/c",
    "/a/../b": "b",
    "../../a": "a",
    "a/../../b": "b",
    ".hidden": ".hidden",
    "a/..b/...": "a/..b/...",
    "a\n/b": "a\n/b",
  };
  for (const [path, clean] of Object.entries(cases)) assertEquals(cleanPath(path), clean, path);
});

Deno.test("parts of a path", () => {
  assertEquals([dirname("a/b/c"), basename("a/b/c")], ["a/b", "c"]);
  assertEquals([dirname("a"), basename("a")], ["", "a"]);
  assertEquals(isWithin("a/b", "a"), true);
  assertEquals(isWithin("ab", "a"), false);
  assertEquals(isWithin("a", ""), true);
});
