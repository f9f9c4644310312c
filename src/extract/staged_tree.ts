import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { Errno, SystemError } from "../os/libc.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { basename, dirname } from "./path.ts";
import { removeTree } from "./remove.ts";

/** Until a directory has its own mode, last of all. */
const OPEN_MODE = 0o700;

/** What the owner of a {@linkcode StagedTree} is told. */
export interface TreeEvents {
  /** A directory was made that no entry asked for. */
  implied(path: ByteString): void;
  /** What was at a path is something else now. */
  replaced(path: ByteString): void;
  /** A directory or symbolic link is gone. */
  removed(): void;
}

/**
 * A tree being put together in staging, by real paths: no symbolic link is followed here, and what
 * is in the way of something new gives way to it.
 */
export class StagedTree {
  readonly #directories: DirectoryCache;
  readonly #events: TreeEvents;

  /** @param root stays the caller's */
  constructor(root: Directory, events: TreeEvents) {
    this.#directories = new DirectoryCache(root);
    this.#events = events;
  }

  /** The directory at a path, if it is one. */
  get(path: ByteString): Directory | undefined {
    return this.#directories.get(path);
  }

  /** The target of the symbolic link at a path, if it is one. */
  linkAt(path: ByteString): ByteString | undefined {
    const parent = this.get(dirname(path));
    const name = basename(path);
    return parent?.stat(name)?.type === "symlink" ? parent.readlink(name) : undefined;
  }

  /** The directory a real path is in; made, with all above it, where it is missing. */
  parent(path: ByteString): Directory {
    const directory = dirname(path);
    return this.get(directory) ?? this.#makeParents(directory);
  }

  #makeParents(path: ByteString): Directory {
    const above = dirname(path);
    const parent = this.get(above) ?? this.#makeParents(above);
    const name = basename(path);
    if (parent.stat(name) !== undefined) {
      // A file where a directory is needed gives way, as later entries do everywhere.
      parent.unlink(name);
      this.#events.replaced(path);
    }
    parent.mkdir(name, OPEN_MODE);
    this.#events.implied(path);
    return this.get(path)!;
  }

  /** Moves a finished node to a path, in place of whatever is there. */
  put(from: Directory, name: ByteString, path: ByteString): void {
    const parent = this.parent(path);
    const result = parent.tryTake(from, name, basename(path));
    if (result !== 0) {
      if (result !== Errno.EISDIR && result !== Errno.EEXIST && result !== Errno.ENOTEMPTY) {
        throw new SystemError("rename", result, fromByteString(path));
      }
      this.remove(path);
      this.parent(path).take(from, name, basename(path));
    }
    this.#events.replaced(path);
  }

  makeDirectory(path: ByteString): void {
    if (this.get(path) !== undefined) return;
    const parent = this.parent(path);
    const name = basename(path);
    if (parent.stat(name) !== undefined) {
      parent.unlink(name);
      this.#events.replaced(path);
    }
    parent.mkdir(name, OPEN_MODE);
  }

  /** Takes away what is at a path; answers its directory, made where missing. */
  clear(path: ByteString): Directory {
    this.remove(path);
    return this.parent(path);
  }

  remove(path: ByteString): void {
    const parent = this.get(dirname(path));
    if (parent === undefined) return;
    const found = parent.stat(basename(path));
    if (found === undefined) return;
    // Nothing open may lie in what is removed.
    if (found.type === "directory") this.#directories.forgetBelow(path);
    removeTree(parent, basename(path));
    if (found.type === "directory" || found.type === "symlink") this.#events.removed();
  }

  /** Closes what is open. */
  close(): void {
    this.#directories.clear();
  }
}
