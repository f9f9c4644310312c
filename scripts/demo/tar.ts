import { archive, type ArchiveBuilder } from "../../tests/archive_builder.ts";

/** 2026-01-01: a fixed time makes the same files the same layer, digest included. */
const MTIME = Date.UTC(2026, 0, 1) / 1000;
/** What fits into a tar header's name field; a longer path needs a PAX record. */
const NAME_BYTES = 100;

export interface Tree {
  /** A directory on disk. */
  readonly from: string;
  /** Where in the image its content goes, without a slash in front. */
  readonly to: string;
  /** Paths of the image, and what is below them, that are left out. */
  readonly without?: (path: string) => boolean;
}

/** The directories' content, and the directories above it, as an uncompressed tar owned by root. */
export function layerOf(tree: Tree): Uint8Array {
  const layer = archive();
  const parts = tree.to.split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    layer.dir(parts.slice(0, depth).join("/"), { mtime: MTIME });
  }
  add(layer, tree.from, tree.to, tree.without ?? (() => false));
  return layer.build();
}

function add(
  layer: ArchiveBuilder,
  from: string,
  to: string,
  without: (path: string) => boolean,
): void {
  const children = [...Deno.readDirSync(from)].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const child of children) {
    const source = `${from}/${child.name}`;
    const path = `${to}/${child.name}`;
    if (without(path)) continue;
    if (path.length > NAME_BYTES) layer.pax({ path });
    if (child.isSymlink) {
      layer.symlink(path, Deno.readLinkSync(source), { mtime: MTIME });
    } else if (child.isDirectory) {
      layer.dir(path, { mtime: MTIME });
      add(layer, source, path, without);
    } else {
      const executable = ((Deno.lstatSync(source).mode ?? 0) & 0o111) !== 0;
      const mode = executable ? 0o755 : 0o644;
      layer.file(path, Deno.readFileSync(source), { mode, mtime: MTIME });
    }
  }
}
