import { Buffer } from "node:buffer";
// @ts-types="npm:@types/tar-stream@3.1.5"
import { pack } from "tar-stream";

/** One file of a layer, by its name in the image (no slash in front). */
export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array | "directory" | { readonly linkTo: string };
  readonly mode?: number;
}

/** 2026-01-01: a fixed time makes the same files the same layer, digest included. */
const MTIME = new Date(Date.UTC(2026, 0, 1));

/** The entries as an uncompressed tar archive, owned by root. */
export async function tarOf(entries: Iterable<TarEntry>): Promise<Uint8Array> {
  const archive = pack();
  for (const { name, content, mode } of entries) {
    const header = { name, mtime: MTIME, uid: 0, gid: 0 };
    if (content instanceof Uint8Array) {
      archive.entry({ ...header, mode: mode ?? 0o644, size: content.length }, toBuffer(content));
    } else if (content === "directory") {
      archive.entry({ ...header, mode: mode ?? 0o755, type: "directory" });
    } else {
      archive.entry({ ...header, mode: 0o777, type: "symlink", linkname: content.linkTo });
    }
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Everything below `directory` as entries named below `prefix`, sorted, but for what `skip` names. */
export function* filesBelow(
  directory: string,
  prefix: string,
  skip: (name: string) => boolean = () => false,
): Generator<TarEntry> {
  const children = [...Deno.readDirSync(directory)].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const child of children) {
    const path = `${directory}/${child.name}`;
    const name = `${prefix}/${child.name}`;
    if (skip(name)) continue;
    if (child.isSymlink) {
      yield { name, content: { linkTo: Deno.readLinkSync(path) } };
    } else if (child.isDirectory) {
      yield { name, content: "directory" };
      yield* filesBelow(path, name, skip);
    } else {
      const executable = ((Deno.lstatSync(path).mode ?? 0) & 0o111) !== 0;
      yield { name, content: Deno.readFileSync(path), mode: executable ? 0o755 : 0o644 };
    }
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
