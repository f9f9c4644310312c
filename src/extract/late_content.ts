import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { Allowlist } from "./allowlist.ts";
import type { WantedEntry } from "./layer_task.ts";
import type { LeftOutLink } from "./image_paths.ts";
import { isWithin } from "./path.ts";
import { LEFT_OUT_FILE, LINK, OPAQUE, type Record, WHITEOUT } from "./record.ts";

/** Content that the first read left out and a path inside needs after all. */
export interface LateContent {
  /** Left-out paths stand for nodes or entries that records do not say. */
  readonly remembers: boolean;
  /** Told of every record of the layer before it is applied. */
  follow(record: Record): void;
  /** The node inside that a left-out path is a hard link to. */
  kept(path: ByteString): LateNode | undefined;
  /**
   * A hard link at a path inside names a target the allowlist leaves out.
   *
   * @param symlink the symbolic link last known at the target, unless a file took its place since
   */
  link(path: ByteString, target: ByteString, symlink: LeftOutLink | undefined): LateNode;
  /** A left-out symbolic link lies inside once links are followed. */
  symlink(link: LeftOutLink): LateNode;
  /** A left-out path is a hard link to this node inside, which later links may name by it. */
  keep(path: ByteString, directory: Directory, name: ByteString): void;
  /** A left-out file has another path than its record says, since links lead there. */
  found(path: ByteString, entry: number): void;
  /** A left-out path is something else now. */
  drop(path: ByteString): void;
  /** Everything at and below a left-out path is gone, but for what is spared. */
  dropBelow(path: ByteString, spares: (path: ByteString) => boolean): void;
  /** A file whose name is outside lies inside once links are followed. */
  file(entry: number, path: ByteString): LateNode;
}

/** A node apart from the tree; a file among them may still be empty until the second read. */
export interface LateNode {
  readonly directory: Directory;
  readonly name: ByteString;
}

/** Nodes apart from the tree: a package installer's cache, at most. */
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
  readonly #chowns: boolean;
  #count = 0;
  readonly #nodes = new Map<string, ByteString>();
  readonly #symlinks = new Map<LeftOutLink, ByteString>();
  /** Left-out paths that are hard links to nodes inside. */
  readonly #kept = new Map<ByteString, ByteString>();
  readonly #wanted = new Map<number, WantedEntry[]>();
  /** Left-out files that links lead elsewhere than their records say. */
  readonly #found = new Map<ByteString, Provider>();
  /** The layer that the three below are of. */
  #indexed: number | undefined;
  #targets = new Set<ByteString>();
  #reindexed = 0;
  /** Records of the current layer that were applied. */
  #position = 0;
  #providers = new Map<ByteString, Provider>();

  /**
   * @param directory takes the files
   * @param readRecords the records of a layer, lowest layer 0
   * @param chowns whether owners are set at all
   */
  constructor(
    directory: Directory,
    allowlist: Allowlist,
    readRecords: (layer: number) => Iterable<Record>,
    chowns: boolean,
  ) {
    this.#chowns = chowns;
    this.#directory = directory;
    this.#allowlist = allowlist;
    this.#readRecords = readRecords;
  }

  /** What a layer's records need, while they are applied. */
  ofLayer(layer: number): LateContent {
    this.#position = 0;
    const { size: kept } = this.#kept;
    return {
      remembers: kept > 0 || this.#found.size > 0,
      follow: (record) => {
        this.#position++;
        if (this.#indexed === layer) this.#follow(record, layer);
      },
      file: (entry, path) => this.#node({ layer, entry }, path),
      symlink: (link) => this.#symlinkNode(link),
      kept: (path) => {
        const name = this.#kept.get(path);
        return name === undefined ? undefined : { directory: this.#directory, name };
      },
      keep: (path, directory, name) => this.#keep(path, directory, name),
      found: (path, entry) => this.#found.set(path, { layer, entry }),
      drop: (path) => {
        this.#kept.delete(path);
        this.#found.delete(path);
      },
      dropBelow: (path, spares) => this.#dropBelow(path, spares),
      link: (path, target, symlink) => {
        const provider = this.#found.get(target) ?? this.#provider(layer, target);
        if (provider === undefined && symlink !== undefined) return this.#symlinkNode(symlink);
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

  /** One node for each left-out link, so that hard links to it are one again. */
  #symlinkNode(link: LeftOutLink): LateNode {
    let name = this.#symlinks.get(link);
    if (name === undefined) {
      name = this.#newName("symlink");
      this.#directory.symlink(link.target, name);
      this.#directory.utimes(name, link);
      if (this.#chowns) this.#directory.chown(name, link);
      this.#symlinks.set(link, name);
    }
    return { directory: this.#directory, name };
  }

  #keep(path: ByteString, directory: Directory, name: ByteString): void {
    const kept = this.#newName("kept");
    this.#directory.link(directory, name, kept);
    this.#kept.set(path, kept);
  }

  #dropBelow(path: ByteString, spares: (path: ByteString) => boolean): void {
    for (const left of [this.#kept, this.#found]) {
      for (const at of left.keys()) if (isWithin(at, path) && !spares(at)) left.delete(at);
    }
  }

  /** @throws {ArchiveError} past the bound: what is remembered of late nodes is in memory */
  #newName(kind: string): ByteString {
    if (this.#count >= MAX_LATE) {
      throw new ArchiveError(
        `more than ${MAX_LATE} links lead into or out of the allowed paths; ` +
          "add the directory they lead to with RUNNER_PATHS",
      );
    }
    return `${kind}-${this.#count++}`;
  }

  #node(provider: Provider, path: ByteString): LateNode {
    const key = `${provider.layer}-${provider.entry}`;
    let name = this.#nodes.get(key);
    if (name === undefined) {
      name = this.#newName("file");
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
   * Finds the content that all targets have at this point of the layer, in one pass over what was
   * applied so far, or a few when a target is itself a link. From there on each record is followed
   * as it is applied.
   */
  #index(layer: number): void {
    let known: number;
    do {
      known = this.#targets.size;
      this.#providers = new Map();
      for (let below = 0; below < layer; below++) {
        for (const record of this.#readRecords(below)) this.#follow(record, below);
      }
      let position = 0;
      for (const record of this.#readRecords(layer)) {
        if (position++ >= this.#position) break;
        this.#follow(record, layer);
      }
    } while (this.#targets.size > known && this.#reindexed++ < MAX_REINDEXED);
  }

  #follow(record: Record, layer: number): void {
    const path = record[1];
    if (record[0] === WHITEOUT || record[0] === OPAQUE) {
      for (const [known, provider] of this.#providers) {
        if (record[0] === OPAQUE && known === path) continue;
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
      else this.#providers.delete(path);
    } else {
      this.#providers.delete(path);
    }
  }
}
