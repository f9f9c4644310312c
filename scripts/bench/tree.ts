import { createHash } from "node:crypto";
import { Allowlist } from "../../src/extract/allowlist.ts";

/** What a directory holds: by path (no slash in front) a node's type, mode, size, content, target. */
export type Tree = Map<string, string>;

const allowlist = new Allowlist([]);

/** Whether overlay mode extracts this path (contract section 4). */
export function isAllowed(path: string): boolean {
  return allowlist.place(path) === "inside";
}

/** The allowed paths of a tree; directories on the way to them are left out. */
export function allowedPart(tree: Tree): Tree {
  return new Map([...tree].filter(([path]) => isAllowed(path)));
}

/** Reads a directory's allowed paths, every byte of them. */
export async function readTree(root: string): Promise<Tree> {
  const tree: Tree = new Map();
  const visit = async (path: string) => {
    for (const { name } of Deno.readDirSync(`${root}/${path}`)) {
      const at = path === "" ? name : `${path}/${name}`;
      const place = allowlist.place(at);
      if (place === "outside") continue;
      const info = Deno.lstatSync(`${root}/${at}`);
      if (place === "inside") tree.set(at, await describe(`${root}/${at}`, info));
      if (info.isDirectory) await visit(at);
    }
  };
  await visit("");
  return tree;
}

async function describe(path: string, info: Deno.FileInfo): Promise<string> {
  if (info.isDirectory) return "directory";
  if (info.isSymlink) return `symlink ${Deno.readLinkSync(path)}`;
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1024 * 1024);
  for (let size; (size = file.readSync(buffer)) !== null;) hash.update(buffer.subarray(0, size));
  const mode = ((info.mode ?? 0) & 0o7777).toString(8);
  return `file ${mode} ${info.size} ${hash.digest("hex")}`;
}

/** @throws naming the first differences, if a tree is not exactly what it should be */
export function requireEqual(what: string, actual: Tree, expected: Tree): void {
  const differences: string[] = [];
  for (const path of new Set([...expected.keys(), ...actual.keys()])) {
    const [is, should] = [actual.get(path) ?? "nothing", expected.get(path) ?? "nothing"];
    if (is !== should) differences.push(`"${path}" is ${is} instead of ${should}`);
  }
  if (differences.length === 0) return;
  const shown = differences.slice(0, 3).join("; ");
  throw new Error(`${what} made another tree, in ${differences.length} places: ${shown}`);
}
