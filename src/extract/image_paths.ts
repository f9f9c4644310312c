import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Owner, Time } from "../os/metadata.ts";
import { dirname, isWithin, join } from "./path.ts";
import type { PathSet } from "./path_set.ts";

/** As many as the kernel follows on one path, with room for images' own chains. */
const MAX_FOLLOWED = 255;
/** Symbolic links outside the allowed paths that are remembered: far more than any image has. */
const MAX_LEFT_OUT_LINKS = 262_144;

/** A symbolic link that is not on disk, with its owner and its modification time: flat, for there can be many. */
export interface LeftOutLink extends Owner, Time {
  readonly target: ByteString;
}

/**
 * What the names of an image mean: where a path leads once the image's symbolic links are
 * followed, those the allowlist leaves out included. Absolute targets and `..` stay within the
 * image, as for a process chrooted into it.
 */
export class ImagePaths {
  readonly #leftOut = new Map<ByteString, LeftOutLink>();
  readonly #onDisk: (path: ByteString) => ByteString | undefined;
  /** Links that the current answers went through; replacing one makes them stale. */
  readonly #followed = new Set<ByteString>();

  /** @param onDisk the target of the extracted symbolic link at a real path, if there is one */
  constructor(onDisk: (path: ByteString) => ByteString | undefined) {
    this.#onDisk = onDisk;
  }

  /**
   * The real path of a directory's path; parts that do not exist are taken as they are, since they
   * will be made as directories.
   *
   * @throws {ArchiveError} when links form a loop
   */
  resolve(path: ByteString): ByteString {
    const todo = path === "" ? [] : path.split("/").reverse();
    let real: ByteString = "";
    let followed = 0;
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        real = dirname(real);
        continue;
      }
      const candidate = join(real, name);
      const target = this.#leftOut.get(candidate)?.target ?? this.#onDisk(candidate);
      if (target === undefined) {
        real = candidate;
        continue;
      }
      if (++followed > MAX_FOLLOWED) {
        throw new ArchiveError(`symbolic links at "${fromByteString(path)}" form a loop`);
      }
      this.#followed.add(candidate);
      if (target.startsWith("/")) real = "";
      todo.push(...target.split("/").reverse());
    }
    return real;
  }

  /** Whether a link at this real path was followed since {@linkcode forget}. */
  wasFollowed(path: ByteString): boolean {
    return this.#followed.size > 0 && this.#followed.has(path);
  }

  /** Whether any link was followed since {@linkcode forget}. */
  get followedAny(): boolean {
    return this.#followed.size > 0;
  }

  forget(): void {
    this.#followed.clear();
  }

  /** Whether any left-out link lies on the way to a path. */
  mayLead(path: ByteString): boolean {
    if (this.#leftOut.size === 0) return false;
    for (let at = path; at !== ""; at = dirname(at)) if (this.#leftOut.has(at)) return true;
    return false;
  }

  /** Whether any left-out link is at one of these paths. */
  anyAmong(paths: PathSet): boolean {
    return this.#leftOut.keys().some((link) => paths.has(link));
  }

  /** The left-out symbolic link at a real path. */
  leftOut(path: ByteString): LeftOutLink | undefined {
    return this.#leftOut.get(path);
  }

  /** A left-out symbolic link is now at a real path. @throws {ArchiveError} past the bound */
  setLeftOut(path: ByteString, link: LeftOutLink): void {
    if (this.#leftOut.size >= MAX_LEFT_OUT_LINKS) {
      throw new ArchiveError(
        `the image has more than ${MAX_LEFT_OUT_LINKS} symbolic links outside the allowed paths`,
      );
    }
    this.#leftOut.set(path, link);
  }

  /** Something that is no symbolic link is now at a real path. */
  deleteLeftOut(path: ByteString): boolean {
    return this.#leftOut.size > 0 && this.#leftOut.delete(path);
  }

  /** Everything at and below a real path is gone, but for what is spared. */
  deleteLeftOutBelow(path: ByteString, spares: (path: ByteString) => boolean): void {
    for (const link of this.#leftOut.keys()) {
      if (isWithin(link, path) && !spares(link)) this.#leftOut.delete(link);
    }
  }
}
