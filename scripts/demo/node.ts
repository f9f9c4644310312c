import { dirname } from "node:path";

/** The Node.js that the demo's server will run on. */
export interface NodeProgram {
  readonly path: string;
  /** Why it is a copy, when it is one. */
  readonly copied?: string;
}

/**
 * Finds `node` on `PATH`; one that `uid` could not reach (a version manager below /root, say) is
 * copied to `directory`, which must be open to that user.
 */
export async function findNode(uid: number, directory: string): Promise<NodeProgram> {
  const path = await firstOnPath("node");
  const blocked = Deno.uid() === uid ? undefined : await firstBlocked(path);
  if (blocked === undefined) return { path };
  await Deno.mkdir(directory, { recursive: true });
  const copy = `${directory}/node`;
  await Deno.copyFile(path, copy);
  await Deno.chmod(copy, 0o755);
  return { path: copy, copied: `${path} is out of reach for user ${uid} (mode of ${blocked})` };
}

async function firstOnPath(program: string): Promise<string> {
  for (const directory of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      const path = await Deno.realPath(`${directory || "."}/${program}`);
      if (((await Deno.stat(path)).mode ?? 0) & 0o111) return path;
    } catch {
      continue;
    }
  }
  throw new Error(`"${program}" is not on PATH: the demo's MCP server needs Node.js`);
}

/** The first part of the path that others may not pass or, at its end, not read and execute. */
async function firstBlocked(path: string): Promise<string | undefined> {
  if (!await allowsOthers(path, 0o5)) return path;
  for (let parent = dirname(path);; parent = dirname(parent)) {
    if (!await allowsOthers(parent, 0o1)) return parent;
    if (parent === "/") return undefined;
  }
}

async function allowsOthers(path: string, bits: number): Promise<boolean> {
  return (((await Deno.stat(path)).mode ?? 0) & bits) === bits;
}
