import type { ByteString } from "../bytes.ts";
import { type Directory, NO_DIRECTORY } from "../os/directory.ts";
import { SystemError } from "../os/libc.ts";
import { basename, dirname, isWithin } from "./path.ts";

/** Descriptors kept open: enough for a deep path, and for what an archive alternates between. */
const CAPACITY = 16;

interface Open {
  readonly path: ByteString;
  readonly directory: Directory;
}

/** Open directories of a tree by their path, the least recently used closed first. */
export class DirectoryCache {
  readonly #root: Directory;
  /**
   * The least recently used first. No Map: one that is old and changes all the time carries what it
   * held into old memory.
   */
  readonly #open: Open[] = [];

  /** @param root stays the caller's */
  constructor(root: Directory) {
    this.#root = root;
  }

  /** The directory at a real path; undefined where there is none, or something else, or a link. */
  get(path: ByteString): Directory | undefined {
    if (path === "") return this.#root;
    const open = this.#use(path);
    if (open !== undefined) return open;
    const directory = this.#find(path);
    if (directory === undefined) return undefined;
    if (this.#open.length >= CAPACITY) this.#open.shift()!.directory[Symbol.dispose]();
    this.#open.push({ path, directory });
    return directory;
  }

  /** One that is open, which is then the most recently used. */
  #use(path: ByteString): Directory | undefined {
    const at = this.#open.findLastIndex((open) => open.path === path);
    const open = this.#open[at];
    if (open === undefined) return undefined;
    if (at < this.#open.length - 1) {
      this.#open.splice(at, 1);
      this.#open.push(open);
    }
    return open.directory;
  }

  /** From the directory above where that is open: a chain of directories is not walked each time. */
  #find(path: ByteString): Directory | undefined {
    const above = this.#use(dirname(path));
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
    for (let at = this.#open.length - 1; at >= 0; at--) {
      if (!isWithin(this.#open[at]!.path, path)) continue;
      this.#open.splice(at, 1)[0]!.directory[Symbol.dispose]();
    }
  }

  clear(): void {
    this.forgetBelow("");
  }
}
