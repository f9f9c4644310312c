import { Exit, RunnerError } from "../errors.ts";

export interface FileFacts {
  readonly kind: "file" | "directory" | "other";
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What the planning asks of the file system; a value in tests, the disk in the program. */
export interface Facts {
  /** Of what the path leads to, links followed; undefined when it leads nowhere. */
  stat(path: string): FileFacts | undefined;
  /** The first bytes of a file, at most `length`; undefined when it cannot be read. */
  read(path: string, length: number, offset?: number): Uint8Array<ArrayBuffer> | undefined;
  /** Where a symbolic link points; undefined for anything else. */
  link(path: string): string | undefined;
  /** The path with every link resolved; undefined when it leads nowhere. */
  real(path: string): string | undefined;
  /** Names in a directory; none when it cannot be listed. */
  list(path: string): readonly string[];
}

export const disk: Facts = {
  stat: (path) =>
    ifThere(() => {
      const info = Deno.statSync(path);
      return {
        kind: info.isFile ? "file" : info.isDirectory ? "directory" : "other",
        mode: (info.mode ?? 0) & 0o7777,
        uid: info.uid ?? 0,
        gid: info.gid ?? 0,
      };
    }),
  read: (path, length, offset = 0) =>
    ifThere(() => {
      using file = Deno.openSync(path);
      if (offset > 0) file.seekSync(offset, Deno.SeekMode.Start);
      const buffer = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = file.readSync(buffer.subarray(filled));
        if (count === null) break;
        filled += count;
      }
      return buffer.subarray(0, filled);
    }),
  link: (path) => ifThere(() => Deno.readLinkSync(path)),
  real: (path) => ifThere(() => Deno.realPathSync(path)),
  list: (path) => ifThere(() => [...Deno.readDirSync(path)].map(({ name }) => name)) ?? [],
};

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // Not there, not readable, not a link: to the planning all one.
    return undefined;
  }
}

/** A path of the image at its place under the root. */
export function under(root: string, path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `${root === "/" ? "" : root}/${names.join("/")}`.replace(/(.)\/$/, "$1");
}

/** An absolute path at its place under the root where it exists there, else as it is (section 4). */
export function mapped(root: string, path: string, facts: Facts): string {
  if (root === "/" || !path.startsWith("/")) return path;
  const place = under(root, path);
  return facts.stat(place) === undefined && facts.link(place) === undefined ? path : place;
}

/** The one line on why a program cannot be started. */
export function cannotStart(
  what: string,
  why: string,
  exit: 64 | 65 | 126 | 127 = Exit.notFound,
): RunnerError {
  return new RunnerError(exit, `cannot start ${JSON.stringify(what)}: ${why}`);
}
