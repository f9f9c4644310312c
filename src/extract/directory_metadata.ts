import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { FileReader } from "../os/file.ts";
import type { Owner, Time } from "../os/metadata.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { type LineWriter, readLines } from "./line_file.ts";
import { basename, dirname } from "./path.ts";

/** What an archive says of a directory, kept until everything is in it. */
export interface DirectoryMetadata {
  readonly path: ByteString;
  readonly mode: number;
  /** Undefined: no entry says one. */
  readonly mtime: Time | undefined;
  readonly owner: Owner | undefined;
}

type Line = readonly [
  path: ByteString,
  mode: number,
  seconds: number | null,
  nanoseconds: number | null,
  uid: number | null,
  gid: number | null,
];

export function logDirectory(log: LineWriter, directory: DirectoryMetadata): void {
  const { path, mode, mtime, owner } = directory;
  log.append(
    [
      path,
      mode,
      mtime?.seconds ?? null,
      mtime?.nanoseconds ?? null,
      owner?.uid ?? null,
      owner?.gid ?? null,
    ] satisfies Line,
  );
}

function* readDirectories(file: FileReader): Generator<DirectoryMetadata> {
  // Written by this process in its private directory.
  for (const line of readLines(file) as Generator<Line>) {
    const [path, mode, seconds, nanoseconds, uid, gid] = line;
    const owner = uid === null || gid === null ? undefined : { uid, gid };
    const mtime = seconds === null || nanoseconds === null ? undefined : { seconds, nanoseconds };
    yield { path, mode, mtime, owner };
  }
}

/** A directory its owner cannot search or change hides what is below it: such are closed last. */
const OPEN = 0o700;

/**
 * Gives directories their modes, times and owners, last since making their children needs the one
 * and changes the other. The last entry of a directory counts.
 *
 * @param final what a logged directory is to have, and where it is by now; undefined: it was there
 * before and is not the image's to change
 */
export function applyDirectoryMetadata(
  root: Directory,
  log: FileReader,
  final: (directory: DirectoryMetadata) => DirectoryMetadata | undefined,
): void {
  const directories = new DirectoryCache(root);
  const closed = new Map<ByteString, DirectoryMetadata>();
  const set = ({ path, mode, mtime, owner }: DirectoryMetadata) => {
    // By its own descriptor: what a name stands for could be another thing by the next call.
    using directory = directories.get(dirname(path))?.tryChild(basename(path));
    directory?.setMetadata(mode, mtime, owner, path);
  };
  for (const logged of readDirectories(log)) {
    const metadata = final(logged);
    if (metadata === undefined) continue;
    const isOpen = (metadata.mode & OPEN) === OPEN;
    set(isOpen ? metadata : { ...metadata, mode: metadata.mode | OPEN, owner: undefined });
    if (isOpen) closed.delete(metadata.path);
    else closed.set(metadata.path, metadata);
  }
  const deepestFirst = [...closed].sort(([a], [b]) => b.split("/").length - a.split("/").length);
  for (const [, metadata] of deepestFirst) set(metadata);
  directories.clear();
}
