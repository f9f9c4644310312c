import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { DirectoryCache } from "./directory_cache.ts";
import type { Put } from "./journal.ts";
import { dirname, join } from "./path.ts";

/** The image's tree within a staging directory. */
export const TREE = "tree";
/** What the tree took the place of. */
export const BACKUP = "backup";

/** The trees and backups of a staging directory and of those on other mounts. */
export class StagePlaces {
  readonly #root: DirectoryCache;
  readonly #own: DirectoryCache;

  constructor(root: Directory, staging: Directory) {
    this.#root = new DirectoryCache(root);
    this.#own = new DirectoryCache(staging);
  }

  tree(step: Put): Directory | undefined {
    return this.#at(step, join(TREE, dirname(step.source)));
  }

  backup(step: Put): Directory | undefined {
    return this.#at(step, BACKUP);
  }

  #at(step: Put, path: ByteString): Directory | undefined {
    const inStage = path.endsWith("/") ? path.slice(0, -1) : path;
    return step.stage === undefined
      ? this.#own.get(inStage)
      : this.#root.get(join(step.stage, inStage));
  }

  clear(): void {
    this.#root.clear();
    this.#own.clear();
  }
}
