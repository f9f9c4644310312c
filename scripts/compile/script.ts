import { Script } from "node:vm";
import { type Chunk, WORKER_URL } from "./bundle.ts";

/** A chunk as the boot script's loader takes it (boot.ts). */
export interface ChunkScript {
  readonly name: string;
  /**
   * A function expression that gives the exports, async for a program or a Worker. No arrow: V8 would
   * take an async one for something to be called later, and parse it twice.
   */
  readonly source: string;
  /** The chunks it needs at once. */
  readonly imports: readonly string[];
  /** The runtime's own modules it needs: `node:zlib`. */
  readonly builtins: readonly string[];
}

/** Imports and exports as `deno bundle` writes them: statements at the beginning of a line. */
const IMPORT = /^import (?:(?:(\w+)|\* as (\w+)|\{([^}]*)\}) from )?"([^"]+)";$/gm;
const DYNAMIC_IMPORT = /\bimport\("([^"]+)"\)/g;
const EXPORT = /^export \{([^}]*)\};$/m;
const REQUIRE = /^var __require = \w+\(import\.meta\.url\);$/m;
/** Each module's path, which depends on the machine. */
const MODULE_COMMENT = /^ *\/\/ \S+\.(?:js|mjs|cjs|ts|json)$\n/gm;

/**
 * Makes a function of a module, since V8 compiles the functions within a classic script when they
 * are called, while a module is parsed by the runtime first and then compiled in one piece: without
 * a code cache that costs 100 ms for each megabyte, at each start.
 *
 * A binding is imported by its value, not live: a chunk that assigns an exported variable again is
 * refused.
 *
 * @param entry whether it is a program or Worker, which may `await` at its top level
 */
export function chunkScript(chunk: Chunk, entry: boolean): ChunkScript {
  const imports: string[] = [];
  const builtins: string[] = [];
  const target = (specifier: string): string => {
    if (specifier.startsWith("node:")) return specifier;
    return new URL(specifier, `bundle:/${chunk.name}`).pathname.slice(1);
  };
  const body = chunk.source
    .replaceAll(MODULE_COMMENT, "")
    .replace(REQUIRE, "const __require = (name) => process.getBuiltinModule(name);")
    .replaceAll(IMPORT, (_, whole?: string, space?: string, names?: string, from = "") => {
      if (from === "node:module") return "";
      const name = target(from);
      const isBuiltin = name.startsWith("node:");
      (isBuiltin ? builtins : imports).push(name);
      const module = isBuiltin ? `builtin["${name}"]` : `load("${name}")`;
      if (whole !== undefined) return `const ${whole} = ${module}.default;`;
      if (space !== undefined) return `const ${space} = ${module};`;
      return names === undefined ? `${module};` : `const {${properties(names)}} = ${module};`;
    })
    .replaceAll(
      DYNAMIC_IMPORT,
      (all, from: string) => from.startsWith("node:") ? all : `later("${target(from)}")`,
    )
    .replace(EXPORT, (_, names: string) => `return {${properties(reversed(names))}};`)
    .replaceAll(WORKER_URL, 'fastmcpRunner.workers["$1"]');
  const assigned = exportedNames(chunk.source).filter((name) => isAssigned(name, chunk.source));
  if (assigned.length > 0) {
    throw new Error(`"${chunk.name}" assigns what it exports: ${assigned.join(", ")}`);
  }
  if (!entry && body.includes("import.meta.main")) {
    throw new Error(`a module other than the program tests import.meta.main ("${chunk.name}")`);
  }
  const source = `${entry ? "async " : ""}function (load, later, builtin) {
"use strict";
${body.replaceAll("import.meta.main", "true")}
}`;
  try {
    new Script(`(${source})`);
  } catch (cause) {
    throw new Error(`the chunk "${chunk.name}" does not become a classic script`, { cause });
  }
  return { name: chunk.name, source, imports, builtins };
}

/** The names within the chunk of what it exports. */
function exportedNames(source: string): string[] {
  const [, names = ""] = source.match(EXPORT) ?? [];
  return names.split(",").map((name) => name.trim().split(" ")[0] ?? "").filter((name) => name);
}

/** Whether a variable is assigned other than where it is declared, as far as its name tells. */
function isAssigned(name: string, source: string): boolean {
  const operator = String.raw`(?:[-+*/%&|^]|\*\*|<<|>>>?|&&|\|\||\?\?)?=(?![=>])|\+\+|--`;
  const variable = String.raw`(?<!(?:var|let|const) )(?<![\w$.'"])${name.replaceAll("$", "\\$")}`;
  return new RegExp(String.raw`${variable}\s*(?:${operator})`).test(source);
}

/** `a, b as c` of an import statement, as a destructuring pattern has it. */
function properties(names: string): string {
  return names.replaceAll(/([\w$]+) as ([\w$]+)/g, "$1: $2");
}

/** `b as a` for `a as b`: an export names the outside last, an object literal first. */
function reversed(names: string): string {
  return names.replaceAll(/([\w$]+) as ([\w$]+)/g, "$2 as $1");
}

/** Everything that `name` needs before it can be evaluated: the runtime's modules of its closure. */
export function builtinsOf(scripts: readonly ChunkScript[], name: string): string[] {
  const seen = new Set<string>();
  const builtins = new Set<string>();
  const visit = (chunk: string) => {
    if (seen.has(chunk)) return;
    seen.add(chunk);
    const script = scripts.find((script) => script.name === chunk);
    if (script === undefined) throw new Error(`the bundle has no chunk "${chunk}"`);
    script.imports.forEach(visit);
    script.builtins.forEach((builtin) => builtins.add(builtin));
  };
  visit(name);
  return [...builtins].sort();
}
