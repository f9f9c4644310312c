import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory, Owner } from "../os/directory.ts";
import { Errno, SystemError } from "../os/libc.ts";
import type { Allowlist } from "./allowlist.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { logDirectory } from "./directory_metadata.ts";
import { ImagePaths } from "./image_paths.ts";
import type { Ownership } from "./layer_sink.ts";
import type { LineWriter } from "./line_file.ts";
import { basename, dirname, join } from "./path.ts";
import { PathSet } from "./path_set.ts";
import {
  DIRECTORY,
  FILE,
  LEFT_OUT_FILE,
  LEFT_OUT_NODE,
  LEFT_OUT_SYMLINK,
  LINK,
  OPAQUE,
  type Record,
  SYMLINK,
  WHITEOUT,
} from "./record.ts";
import { removeTree } from "./remove.ts";

/** Directories that no entry describes. */
const IMPLIED_MODE = 0o755;

/** Content that the first read left out and a path inside needs after all. */
export interface LateContent {
  /** A hard link at a path inside names a target the allowlist leaves out. */
  link(path: ByteString, target: ByteString): LateNode;
  /** A file whose name is outside lies inside once links are followed. */
  file(entry: number, path: ByteString): LateNode;
}

/** A file, still empty, that gets its content in a second read. */
export interface LateNode {
  readonly directory: Directory;
  readonly name: ByteString;
}

/** The layer whose records are being applied. */
export interface AppliedLayer {
  readonly nodes: Directory;
  readonly hasWhiteouts: boolean;
  readonly late: LateContent;
}

/**
 * The image's merged filesystem, restricted to the allowlist, as it grows layer by layer in a
 * staging directory. Records are applied strictly in the order of layers and entries, as if there
 * were no parallel reading; so the result cannot depend on timing, and is what container engines
 * make of the same image.
 *
 * Every path is first resolved to its real path within the image, and only that is asked of the
 * allowlist: a symbolic link leads a write nowhere it could not go by name.
 */
export class MergedTree {
  readonly #allowlist: Allowlist;
  readonly #ownership: Ownership | undefined;
  readonly #directories: DirectoryCache;
  readonly #paths: ImagePaths;
  /** Modes and times of directories, set last: making a child needs the one and changes the other. */
  readonly #directoryLog: LineWriter;
  /** Real paths the current layer has touched, with their ancestors: its whiteouts spare them. */
  #upper: PathSet | undefined;
  #layer!: AppliedLayer;
  /** Devices and FIFOs inside: a hard link to one is left out with it. */
  readonly #leftOutNodes = new Set<ByteString>();
  /** The last entry's directory and its real path: most entries share their neighbour's. */
  #lastDirectory: ByteString | undefined;
  #lastReal: ByteString = "";

  constructor(
    options: {
      readonly root: Directory;
      readonly allowlist: Allowlist;
      readonly ownership: Ownership | undefined;
      readonly directoryLog: LineWriter;
    },
  ) {
    this.#allowlist = options.allowlist;
    this.#ownership = options.ownership;
    this.#directoryLog = options.directoryLog;
    this.#directories = new DirectoryCache(options.root);
    this.#paths = new ImagePaths((path) => this.#linkOnDisk(path));
  }

  /** Says which layer the next records are of. */
  beginLayer(layer: AppliedLayer): void {
    this.#layer = layer;
    this.#upper = layer.hasWhiteouts ? new PathSet() : undefined;
  }

  /** @throws {ArchiveError} for what no engine could make; {@linkcode SystemError} */
  apply(record: Record): void {
    switch (record[0]) {
      case OPAQUE:
        return this.#whiteout(this.#paths.resolve(record[1]), true);
      case WHITEOUT:
        return this.#whiteout(this.#realPath(record[1]), false);
    }
    const path = this.#realPath(record[1]);
    const place = this.#allowlist.place(path);
    if (this.#upper !== undefined) this.#touch(path);
    if (place === "inside") this.#applyInside(record, path);
    else this.#applyLeftOut(record, path, place === "ancestor");
  }

  /** Closes what is open; the directory log is complete then. */
  close(): void {
    this.#directories.clear();
  }

  #applyInside(record: Record, path: ByteString): void {
    switch (record[0]) {
      case FILE:
      case SYMLINK:
        this.#placeNode(record, path);
        return;
      case DIRECTORY:
        this.#placeDirectory(record, path);
        return;
      case LINK:
        this.#placeLink(record[2], path);
        return;
      case LEFT_OUT_FILE: {
        const late = this.#layer.late.file(record[2], path);
        this.#clear(path).link(late.directory, late.name, basename(path));
        return;
      }
      case LEFT_OUT_SYMLINK: {
        const parent = this.#clear(path);
        parent.symlink(record[2], basename(path));
        this.#forget();
        return;
      }
      case LEFT_OUT_NODE:
        this.#remove(path);
        if (this.#leftOutNodes.size < MAX_LEFT_OUT_NODES) this.#leftOutNodes.add(path);
    }
  }

  /** What is outside is only remembered, as far as it can lead to a path inside. */
  #applyLeftOut(record: Record, path: ByteString, isAncestor: boolean): void {
    switch (record[0]) {
      case SYMLINK: {
        // By name it was inside, so its node was made; where it really lies it is left out.
        const name = String(record[2]);
        const target = this.#layer.nodes.readlink(name);
        this.#layer.nodes.unlink(name);
        this.#leftOutLink(path, target, isAncestor);
        return;
      }
      case FILE:
        this.#layer.nodes.unlink(String(record[2]));
        break;
      case LEFT_OUT_SYMLINK:
        this.#leftOutLink(path, record[2], isAncestor);
        return;
      case DIRECTORY:
        if (this.#paths.deleteLeftOut(path)) this.#linkChanged(path);
        return;
    }
    if (isAncestor) this.#remove(path);
    if (this.#paths.deleteLeftOut(path)) this.#linkChanged(path);
  }

  #leftOutLink(path: ByteString, target: ByteString, isAncestor: boolean): void {
    if (isAncestor) this.#remove(path);
    this.#paths.setLeftOut(path, target);
    // Even where nothing was followed: the name may have been resolved as still to be made.
    this.#forget();
  }

  #placeNode(record: Record, path: ByteString): void {
    const [kind, given, node] = record as readonly [number, ByteString, number];
    const name = String(node);
    this.#put(this.#layer.nodes, name, path);
    if (kind === SYMLINK) this.#forget();
    if (given !== path) this.#correctOwner(given, path);
  }

  /** Moves a finished node to a path, in place of whatever is there. */
  #put(from: Directory, name: ByteString, path: ByteString): void {
    const parent = this.#parent(path);
    const result = parent.tryTake(from, name, basename(path));
    if (result !== 0) {
      if (result !== Errno.EISDIR && result !== Errno.EEXIST && result !== Errno.ENOTEMPTY) {
        throw new SystemError("rename", result, fromByteString(path));
      }
      this.#remove(path);
      this.#parent(path).take(from, name, basename(path));
    }
    if (this.#paths.wasFollowed(path)) this.#forget();
  }

  /** The node's owner was chosen by the name it had in the archive. */
  #correctOwner(given: ByteString, path: ByteString): void {
    const server = this.#ownership?.server;
    const isServers = this.#allowlist.isServerOwned(path);
    if (server === undefined || isServers === this.#allowlist.isServerOwned(given)) return;
    this.#parent(path).chown(basename(path), isServers ? server : { uid: 0, gid: 0 });
  }

  #placeDirectory(record: Record, path: ByteString): void {
    const [, , mode, uid, gid, seconds, nanoseconds] = record as Extract<
      Record,
      readonly [typeof DIRECTORY, ...unknown[]]
    >;
    this.#makeDirectory(path);
    const owner = this.#ownerOf(path, { uid, gid });
    logDirectory(this.#directoryLog, { path, mode, mtime: { seconds, nanoseconds }, owner });
  }

  #makeDirectory(path: ByteString): void {
    const parent = this.#parent(path);
    const name = basename(path);
    try {
      parent.mkdir(name, 0o700);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
      if (parent.stat(name)?.type !== "directory") {
        parent.unlink(name);
        parent.mkdir(name, 0o700);
        this.#linkChanged(path);
      }
    }
  }

  #placeLink(target: ByteString, path: ByteString): void {
    const targetPath = this.#realPath(target);
    if (targetPath === path) {
      throw new ArchiveError(`"${fromByteString(path)}" is a hard link to itself`);
    }
    if (this.#allowlist.place(targetPath) !== "inside") {
      const late = this.#layer.late.link(path, targetPath);
      // A link, not a move: every hard link to one target is the same file.
      this.#clear(path).link(late.directory, late.name, basename(path));
      return;
    }
    this.#clear(path);
    if (this.#leftOutNodes.has(targetPath)) return;
    const from = this.#directories.get(dirname(targetPath));
    try {
      if (from === undefined) throw new SystemError("link", Errno.ENOENT);
      this.#parent(path).link(from, basename(targetPath), basename(path));
    } catch (error) {
      if (!(error instanceof SystemError) || !LINK_FAULTS.includes(error.errno)) throw error;
      throw new ArchiveError(
        `"${fromByteString(path)}" is a hard link to "${fromByteString(targetPath)}", ` +
          "which is not a file of the image",
        { cause: error },
      );
    }
  }

  /** Takes away what is at a path; answers its directory, made where missing. */
  #clear(path: ByteString): Directory {
    this.#remove(path);
    return this.#parent(path);
  }

  #remove(path: ByteString): void {
    const parent = this.#directories.get(dirname(path));
    if (parent === undefined) return;
    const found = parent.stat(basename(path));
    if (found === undefined) return;
    // Nothing open may lie in what is removed.
    if (found.type === "directory") this.#directories.forgetBelow(path);
    removeTree(parent, basename(path));
    if (found.type === "directory" || found.type === "symlink") this.#forget();
  }

  /**
   * Removes what lower layers brought at a path (image-spec, whiteouts); what this layer brought
   * stays, whatever the order of its entries.
   */
  #whiteout(path: ByteString, opaque: boolean): void {
    if (!opaque && this.#paths.mayLead(path)) this.#forget();
    if (!opaque) this.#paths.deleteLeftOutBelow(path);
    if (this.#allowlist.place(path) === "outside") return;
    const directory = this.#directories.get(opaque ? path : dirname(path));
    if (directory === undefined) return;
    if (!opaque) this.#removeLower(path);
    else for (const name of directory.names()) this.#removeLower(join(path, name));
    this.#forget();
  }

  #removeLower(path: ByteString): void {
    if (!this.#upper!.has(path)) {
      this.#remove(path);
      return;
    }
    const directory = this.#directories.get(path);
    if (directory === undefined) return;
    for (const name of directory.names()) this.#removeLower(join(path, name));
  }

  #touch(path: ByteString): void {
    for (let at = path; at !== ""; at = dirname(at)) this.#upper!.add(at);
  }

  #ownerOf(path: ByteString, archive: Owner): Owner | undefined {
    if (this.#ownership === undefined) return undefined;
    if (!this.#allowlist.isServerOwned(path)) return archive;
    return this.#ownership.server ?? archive;
  }

  /** The directory a real path is in; made, with all above it, where it is missing. */
  #parent(path: ByteString): Directory {
    const directory = dirname(path);
    return this.#directories.get(directory) ?? this.#makeParents(directory);
  }

  #makeParents(path: ByteString): Directory {
    const above = dirname(path);
    const parent = this.#directories.get(above) ?? this.#makeParents(above);
    const name = basename(path);
    if (parent.stat(name) !== undefined) {
      // A file where a directory is needed gives way, as later entries do everywhere.
      parent.unlink(name);
      this.#linkChanged(path);
    }
    parent.mkdir(name, IMPLIED_MODE);
    const owner = this.#ownerOf(path, { uid: 0, gid: 0 });
    if (owner !== undefined) parent.chown(name, owner);
    return this.#directories.get(path)!;
  }

  /** An entry's own path: its directory resolved, its name as it is. */
  #realPath(path: ByteString): ByteString {
    const directory = dirname(path);
    if (directory !== this.#lastDirectory) {
      this.#lastReal = this.#isPlain(directory) ? directory : this.#paths.resolve(directory);
      this.#lastDirectory = directory;
    }
    return join(this.#lastReal, basename(path));
  }

  /** Whether a directory is on disk at its own path, with no link on the way: most are. */
  #isPlain(path: ByteString): boolean {
    return !this.#paths.mayLead(path) && this.#directories.get(path) !== undefined;
  }

  #linkOnDisk(path: ByteString): ByteString | undefined {
    if (this.#allowlist.place(path) !== "inside") return undefined;
    const parent = this.#directories.get(dirname(path));
    const name = basename(path);
    return parent?.stat(name)?.type === "symlink" ? parent.readlink(name) : undefined;
  }

  #linkChanged(path: ByteString): void {
    if (this.#paths.wasFollowed(path)) this.#forget();
  }

  #forget(): void {
    this.#paths.forget();
    this.#lastDirectory = undefined;
  }
}

/** A device in an application's directories is a mistake; thousands of them are an attack. */
const MAX_LEFT_OUT_NODES = 4096;

/** What linkat answers when the target is missing, below a file, or a directory. */
const LINK_FAULTS: readonly number[] = [Errno.ENOENT, Errno.ENOTDIR, Errno.EPERM];
