/** A plain ustar archive in memory, for images in tests and the demo. */

export interface TarEntry {
  /** Without a leading slash; a directory's may end in one. At most 100 bytes. */
  readonly path: string;
  /** A file's bytes. @default undefined: a directory, or a symbolic link if `link` is given */
  readonly content?: Uint8Array | string;
  /** A symbolic link's target. */
  readonly link?: string;
  /** @default 0o644 for files, 0o755 for directories, 0o777 for links */
  readonly mode?: number;
  /** In seconds since the epoch. @default 2026-01-01 */
  readonly mtime?: number;
}

const BLOCK = 512;
const encoder = new TextEncoder();

export function tar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const { content } = entry;
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    const padding = new Uint8Array((BLOCK - ((bytes?.length ?? 0) % BLOCK)) % BLOCK);
    return [header(entry, bytes), bytes ?? new Uint8Array(), padding];
  });
  parts.push(new Uint8Array(2 * BLOCK));
  const archive = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

function header(entry: TarEntry, bytes: Uint8Array | undefined): Uint8Array {
  const type = bytes !== undefined ? "0" : entry.link !== undefined ? "2" : "5";
  const path = encoder.encode(type === "5" ? entry.path.replace(/\/*$/, "/") : entry.path);
  if (path.length > 100) throw new Error(`tar: path too long: ${entry.path}`);
  const mode = entry.mode ?? { "0": 0o644, "2": 0o777, "5": 0o755 }[type] ?? 0o644;
  const block = new Uint8Array(BLOCK);
  const text = (at: number, value: string) => block.set(encoder.encode(value), at);
  const octal = (at: number, digits: number, value: number) =>
    text(at, value.toString(8).padStart(digits, "0"));
  block.set(path, 0);
  octal(100, 7, mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, bytes?.length ?? 0);
  octal(136, 11, entry.mtime ?? 1767225600);
  text(148, "        ");
  text(156, type);
  text(157, entry.link ?? "");
  text(257, "ustar\x0000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  octal(148, 6, sum);
  text(154, "\0 ");
  return block;
}
