import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { detach } from "../scripts/compile/detach.ts";
import { parseElf } from "../scripts/compile/elf.ts";
import { encodeLayout, encodeTables, TABLES } from "../scripts/compile/layout.ts";
import { builtinsOf, type ChunkScript, chunkScript } from "../scripts/compile/script.ts";
import { compileTo } from "./compiled.ts";
import { peerTest } from "./peers.ts";
import { succeed } from "./programs.ts";

/** Evaluates chunks as the boot script's loader does. */
async function evaluate(scripts: readonly ChunkScript[], entry: string): Promise<unknown> {
  const load = (name: string): unknown => {
    const script = scripts.find((script) => script.name === name);
    if (script === undefined) throw new Error(`no chunk "${name}"`);
    return (0, eval)(`(${script.source})`)(load, later, builtin);
  };
  const later = (name: string) => Promise.resolve(load(name));
  const builtin = Object.fromEntries(
    await Promise.all(builtinsOf(scripts, entry).map(async (n) => [n, await import(n)] as const)),
  );
  return await load(entry);
}

Deno.test("a bundle's chunks mean the same as scripts", async () => {
  const scripts = [
    chunkScript({
      name: "folder/main.js",
      source: `import {
  one as uno,
  two
} from "../chunk-A.js";
import "../chunk-B.js";

// folder/main.ts
import path from "node:path";
import { posix as slashes } from "node:path";
import * as all from "node:path";
const late = await import("../chunk-B.js");
globalThis.compileTest = [uno, two, late.default, path === all.default, slashes.sep, import.meta.main];
`,
    }, true),
    chunkScript({
      name: "chunk-A.js",
      source: `var a = 1;\nvar two = 2;\nexport {\n  a as one,\n  two\n};\n`,
    }, false),
    chunkScript(
      {
        name: "chunk-B.js",
        source: `var b_default = "b";\nexport {\n  b_default as default\n};\n`,
      },
      false,
    ),
  ];
  await evaluate(scripts, "folder/main.js");
  const { compileTest } = globalThis as unknown as { compileTest: unknown };
  assertEquals(compileTest, [1, 2, "b", true, "/", true]);
  assertEquals(builtinsOf(scripts, "folder/main.js"), ["node:path"]);
});

Deno.test("no path of the building machine stays in a chunk", () => {
  const source = `// ../../home/me/.cache/deno/npm/zod.js\nvar a = "// stays.js";\n`;
  assertEquals(chunkScript({ name: "a.js", source }, false).source.includes("/home/me"), false);
});

Deno.test("a chunk that cannot be a script is refused, by name", () => {
  const refuse = (source: string) => () => chunkScript({ name: "a.js", source }, false);
  assertThrows(refuse(`import a from 'node:fs';\n`), Error, `"a.js"`);
  assertThrows(refuse("await 1;\n"), Error, `"a.js"`);
  assertThrows(refuse("if (import.meta.main) x();\n"), Error, `"a.js"`);
  const live = "var n = 0;\nfunction next() {\n  n += 1;\n}\nexport {\n  n,\n  next\n};\n";
  assertThrows(refuse(live), Error, `"a.js" assigns what it exports: n`);
});

Deno.test("a path is taken out of a library only where it is certain", () => {
  const bytes = new TextEncoder().encode("x\0/etc/ld.so.preload\0/etc/ld.so.cache\0");
  const without = new TextDecoder().decode(detach(bytes, "loader"));
  assertEquals(without, "x\0/proc/nowhere/----\0/proc/nowhere/--\0");
  assertThrows(() => detach(bytes.slice(3), "loader"), Error, "0 times");
  assertThrows(() => detach(new Uint8Array([...bytes, ...bytes]), "loader"), Error, "2 times");
});

Deno.test("what is not a 64-bit position-independent ELF file is refused", () => {
  assertThrows(() => parseElf(new Uint8Array(10), "short"), Error, `"short"`);
  assertThrows(
    () => parseElf(new TextEncoder().encode("#".repeat(64)), "text"),
    Error,
    "not an ELF",
  );
});

peerTest("the packer and the launcher agree on their shapes", ["cc"], async () => {
  const folder = await Deno.makeTempDir({ prefix: "shapes-" });
  try {
    const helper = new URL("../helper/", import.meta.url).pathname;
    await Deno.writeTextFile(
      `${folder}/shapes.c`,
      `#include "layout.h"\n#include <stddef.h>\n#include <stdio.h>\n` +
        `int main(void) { printf("%zu %zu %zu %zu", sizeof(struct layout), sizeof(struct tables),` +
        ` offsetof(struct tables, dynamic), offsetof(struct tables, library_name)); }\n`,
    );
    await succeed("cc", ["-I", helper, "-o", `${folder}/shapes`, `${folder}/shapes.c`]);
    const none = { at: 0, count: 0 };
    const layout = encodeLayout({
      self: 0,
      loader: 0,
      loaderEntry: 0,
      runtimeEntry: 0,
      runtimeHeaders: 0,
      libraries: [],
      arguments: none,
      environment: none,
    });
    const sizes = [layout.length, encodeTables([], []).length];
    assertEquals(
      await succeed(`${folder}/shapes`, []),
      [...sizes, TABLES.dynamic, TABLES.libraryName(0)].join(" "),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

peerTest("two compiles of one commit are byte-identical", ["cc"], async () => {
  const folder = await Deno.makeTempDir({ prefix: "twice-" });
  try {
    await compileTo(`${folder}/one`);
    await compileTo(`${folder}/two`);
    const [one, two] = await Promise.all([`${folder}/one`, `${folder}/two`].map(digest));
    assertEquals(one, two);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function digest(path: string): Promise<string> {
  return (await succeed("sha256sum", [path])).slice(0, 64);
}
