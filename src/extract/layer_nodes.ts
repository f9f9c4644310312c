import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { FileQueue, FileWriter } from "../os/file.ts";
import { Errno, SystemError } from "../os/libc.ts";
import { DirectoryCache } from "./directory_cache.ts";
import type { LayerArea } from "./layer_area.ts";
import { basename, dirname } from "./path.ts";
import { NAMED } from "./record.ts";

/** Directories that no entry describes, named to the merge: a few above each archive's own. */
const MAX_IMPLIED = 1024;

/** A node being made: where it is until the layer is merged. */
export interface NewNode {
  /** As its record has it: a number, or {@linkcode NAMED}. */
  readonly node: number;
  readonly directory: Directory;
  readonly name: ByteString;
}

/**
 * Makes a layer's nodes. They go where the layer itself has them, so that whole directories can be
 * moved when it is merged, as long as the layer is plain: no two entries want one path, and none is
 * below what is not a directory. After the first that does not fit, nodes are numbered.
 */
export class LayerNodes {
  readonly #area: LayerArea;
  readonly #queue: FileQueue | undefined;
  readonly #directories: DirectoryCache;
  readonly #implied: ByteString[] = [];
  #isPlain = true;
  #count = 0;

  /**
   * @param area stays the caller's
   * @param queue writes the files' content
   */
  constructor(area: LayerArea, queue: FileQueue | undefined) {
    this.#area = area;
    this.#queue = queue;
    this.#directories = new DirectoryCache(area.named);
  }

  /** Whether the named nodes are the whole of the layer, and at the paths it means. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Directories that no entry described when something was put into them. */
  get implied(): readonly ByteString[] {
    return this.#implied;
  }

  /** The layer has something that must be applied entry by entry. */
  setNotPlain(): void {
    this.#isPlain = false;
  }

  file(path: ByteString): NewNode & { readonly file: FileWriter } {
    return this.#make(path, (directory, name) => ({
      file: directory.create(name, this.#queue),
    }));
  }

  symlink(path: ByteString, target: ByteString): NewNode {
    return this.#make(path, (directory, name) => {
      directory.symlink(target, name);
      return {};
    });
  }

  directory(path: ByteString): void {
    if (this.#isPlain && !this.#mkdir(path)) this.#isPlain = false;
  }

  /** Makes a hard link, if what it links to is among the named nodes. */
  link(path: ByteString, target: ByteString): boolean {
    if (!this.#isPlain) return false;
    const to = this.#parent(path);
    const from = this.#directories.get(dirname(target));
    this.#isPlain = to !== undefined && from !== undefined &&
      fits(() => to.link(from, basename(target), basename(path)));
    return this.#isPlain;
  }

  close(): void {
    this.#directories.clear();
  }

  #make<T>(path: ByteString, make: (directory: Directory, name: ByteString) => T): NewNode & T {
    if (this.#isPlain) {
      const directory = this.#parent(path);
      const name = basename(path);
      let made: T | undefined;
      if (directory !== undefined && fits(() => made = make(directory, name))) {
        return { node: NAMED, directory, name, ...made! };
      }
      this.#isPlain = false;
    }
    const node = this.#count++;
    const name = String(node);
    return { node, directory: this.#area.numbered, name, ...make(this.#area.numbered, name) };
  }

  /** The directory of a path, made where it is missing; undefined: something else is in the way. */
  #parent(path: ByteString): Directory | undefined {
    const directory = dirname(path);
    const found = this.#directories.get(directory);
    if (found !== undefined) return found;
    if (!this.#mkdir(directory) || this.#implied.length === MAX_IMPLIED) return undefined;
    this.#implied.push(directory);
    return this.#directories.get(directory);
  }

  /** @returns whether there is a directory now */
  #mkdir(path: ByteString): boolean {
    const parent = this.#parent(path);
    if (parent === undefined) return false;
    return fits(() => parent.mkdir(basename(path), 0o700)) ||
      this.#directories.get(path) !== undefined;
  }
}

/** @returns false where something else has the name, or what is linked to is not there */
function fits(make: () => void): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (error instanceof SystemError && TAKEN.includes(error.errno)) return false;
    throw error;
  }
}

const TAKEN: readonly number[] = [Errno.EEXIST, Errno.ENOENT, Errno.ENOTDIR, Errno.EPERM];
