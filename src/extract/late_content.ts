import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { Allowlist } from "./allowlist.ts";
import type { WantedEntry } from "./layer_task.ts";
import type { LateContent, LateNode } from "./merged_tree.ts";
import { isWithin } from "./path.ts";
import { LEFT_OUT_FILE, LINK, type Record, WHITEOUT } from "./record.ts";

/** Files fetched by a second read: a package installer's cache, at most. */
const MAX_LATE = 200_000;

/** Passes over the records for one layer, whatever its links are like. */
const MAX_REINDEXED = 64;

/** Where a left-out file's content is: an entry of a layer. */
interface Provider {
  readonly layer: number;
  readonly entry: number;
}

/**
 * Content the allowlist leaves out but a path inside needs: the image's own content of a hard
 * link's target (contract section 4), and files that symbolic links bring inside. Each gets an
 * empty file at once, which takes part in everything that later entries do, and its bytes when the
 * layers that hold them are read again.
 */
export class LateFiles {
  readonly #directory: Directory;
  readonly #allowlist: Allowlist;
  readonly #readRecords: (layer: number) => Iterable<Record>;
  readonly #nodes = new Map<string, ByteString>();
  readonly #wanted = new Map<number, WantedEntry[]>();
  /** The layer that the three below are of. */
  #indexed: number | undefined;
  #targets = new Set<ByteString>();
  #reindexed = 0;
  #providers = new Map<ByteString, Provider>();

  /**
   * @param directory takes the files
   * @param readRecords the records of a layer, lowest layer 0
   */
  constructor(
    directory: Directory,
    allowlist: Allowlist,
    readRecords: (layer: number) => Iterable<Record>,
  ) {
    this.#directory = directory;
    this.#allowlist = allowlist;
    this.#readRecords = readRecords;
  }

  /** What a layer's records need, while they are applied. */
  ofLayer(layer: number): LateContent {
    return {
      file: (entry, path) => this.#node({ layer, entry }, path),
      link: (path, target) => {
        const provider = this.#provider(layer, target);
        if (provider === undefined) {
          throw new ArchiveError(
            `"${fromByteString(path)}" is a hard link to "${fromByteString(target)}", ` +
              "which is not a file of the image",
          );
        }
        return this.#node(provider, path);
      },
    };
  }

  /** What is to be read again: layer -> entries. */
  get wanted(): ReadonlyMap<number, readonly WantedEntry[]> {
    return this.#wanted;
  }

  #node(provider: Provider, path: ByteString): LateNode {
    const key = `${provider.layer}-${provider.entry}`;
    let name = this.#nodes.get(key);
    if (name === undefined) {
      if (this.#nodes.size >= MAX_LATE) {
        throw new ArchiveError(
          `more than ${MAX_LATE} hard links lead outside the allowed paths; ` +
            "add the directory they lead to with RUNNER_PATHS",
        );
      }
      name = key;
      this.#directory.create(name).close();
      this.#nodes.set(key, name);
      const entries = this.#wanted.get(provider.layer) ?? [];
      const serverOwned = this.#allowlist.isServerOwned(path);
      entries.push({ entry: provider.entry, file: name, serverOwned });
      this.#wanted.set(provider.layer, entries);
    }
    return { directory: this.#directory, name };
  }

  /** The entry that a left-out path has its content from, seen from a layer. */
  #provider(layer: number, target: ByteString): Provider | undefined {
    if (this.#indexed !== layer) {
      this.#indexed = layer;
      this.#targets = this.#linkTargets(layer);
      this.#reindexed = 0;
      this.#index(layer);
    }
    // Links on the way can give a target another name than the record has.
    if (!this.#targets.has(target) && this.#reindexed++ < MAX_REINDEXED) {
      this.#targets.add(target);
      this.#index(layer);
    }
    return this.#providers.get(target);
  }

  #linkTargets(layer: number): Set<ByteString> {
    const targets = new Set<ByteString>();
    for (const record of this.#readRecords(layer)) {
      if (record[0] === LINK && this.#allowlist.place(record[2]) !== "inside") {
        targets.add(record[2]);
      }
    }
    return targets;
  }

  /**
   * Finds the content of all targets in one pass over the layers up to this one, or a few when a
   * target is itself a link. The last file of a name counts: package managers write a cache once
   * and link to it after.
   */
  #index(layer: number): void {
    let known: number;
    do {
      known = this.#targets.size;
      this.#providers = new Map();
      for (let below = 0; below <= layer; below++) {
        for (const record of this.#readRecords(below)) this.#follow(record, below);
      }
    } while (this.#targets.size > known && this.#reindexed++ < MAX_REINDEXED);
  }

  #follow(record: Record, layer: number): void {
    const path = record[1];
    if (record[0] === WHITEOUT) {
      for (const [known, provider] of this.#providers) {
        if (provider.layer < layer && isWithin(known, path)) this.#providers.delete(known);
      }
      return;
    }
    if (!this.#targets.has(path)) return;
    if (record[0] === LEFT_OUT_FILE) {
      this.#providers.set(path, { layer, entry: record[2] });
    } else if (record[0] === LINK) {
      this.#targets.add(record[2]);
      const linked = this.#providers.get(record[2]);
      if (linked !== undefined) this.#providers.set(path, linked);
    } else {
      this.#providers.delete(path);
    }
  }
}
