import type { ByteString } from "../bytes.ts";
import { type Directory, NO_DIRECTORY } from "../os/directory.ts";
import { SystemError } from "../os/libc.ts";
import { basename, dirname, isWithin } from "./path.ts";

/** Descriptors kept open: enough for the directories that an archive alternates between. */
const CAPACITY = 64;

/** Open directories of a tree by their path, the least recently used closed first. */
export class DirectoryCache {
  readonly #root: Directory;
  /** The least recently used first. */
  readonly #open = new Map<ByteString, Directory>();
  #latest: ByteString | undefined;

  /** @param root stays the caller's */
  constructor(root: Directory) {
    this.#root = root;
  }

  /** The directory at a real path; undefined where there is none, or something else, or a link. */
  get(path: ByteString): Directory | undefined {
    if (path === "") return this.#root;
    const found = this.#open.get(path);
    if (found !== undefined) {
      if (path !== this.#latest) {
        this.#open.delete(path);
        this.#open.set(path, found);
        this.#latest = path;
      }
      return found;
    }
    const directory = this.#find(path);
    if (directory === undefined) return undefined;
    if (this.#open.size >= CAPACITY) {
      const [oldest, closing] = this.#open.entries().next().value!;
      closing[Symbol.dispose]();
      this.#open.delete(oldest);
    }
    this.#open.set(path, directory);
    this.#latest = path;
    return directory;
  }

  /** From the directory above where that is open: a chain of directories is not walked each time. */
  #find(path: ByteString): Directory | undefined {
    const above = this.#open.get(dirname(path));
    if (above !== undefined) return above.tryChild(basename(path));
    try {
      return this.#root.descend(path);
    } catch (error) {
      if (error instanceof SystemError && NO_DIRECTORY.includes(error.errno)) return undefined;
      throw error;
    }
  }

  /** Closes what is at and below a path, which is about to go or to change. */
  forgetBelow(path: ByteString): void {
    for (const [open, directory] of this.#open) {
      if (!isWithin(open, path)) continue;
      directory[Symbol.dispose]();
      this.#open.delete(open);
    }
  }

  clear(): void {
    this.forgetBelow("");
  }
}
