import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory, Owner } from "../os/directory.ts";
import { Errno, SystemError } from "../os/libc.ts";
import type { Allowlist } from "./allowlist.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { logDirectory } from "./directory_metadata.ts";
import { ImagePaths, type LeftOutLink } from "./image_paths.ts";
import type { Ownership } from "./layer_sink.ts";
import type { LineWriter } from "./line_file.ts";
import { basename, dirname, join } from "./path.ts";
import { PathSet } from "./path_set.ts";
import type { LeftOutSummary } from "./record_log.ts";
import {
  DIRECTORY,
  FILE,
  LEFT_OUT_FILE,
  LEFT_OUT_NODE,
  LEFT_OUT_SYMLINK,
  LINK,
  OPAQUE,
  type Record,
  type RecordOf,
  SYMLINK,
  WHITEOUT,
} from "./record.ts";
import { removeTree } from "./remove.ts";

/** Directories that no entry describes. */
const IMPLIED_MODE = 0o755;
/** Until it has its own mode, last of all. */
const OPEN_MODE = 0o700;

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
  /** Devices and FIFOs: a hard link to one is left out with it. */
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

  /**
   * Whether the records of a layer's plain left-out files and directories can matter: a link leads
   * to them or out to them, or they take the place of something that is remembered.
   */
  needsLeftOut({ directories, matterHere }: LeftOutSummary): boolean {
    if (matterHere || directories === undefined) return true;
    if (this.#layer.late.remembers || this.#leftOutNodes.size > 0) return true;
    return directories.some((directory) =>
      this.#paths.mayLead(directory) || this.#passesInside(directory)
    );
  }

  /** @throws {ArchiveError} for what no engine could make; {@linkcode SystemError} */
  apply(record: Record): void {
    this.#layer.late.follow(record);
    switch (record[0]) {
      case OPAQUE:
        return this.#whiteout(this.#paths.resolve(record[1]), true);
      case WHITEOUT:
        return this.#whiteout(this.#realPath(record[1]), false);
    }
    const path = this.#realPath(record[1]);
    const place = this.#allowlist.place(path);
    if (this.#upper !== undefined) this.#touch(path);
    const isLeftOutNode = record[0] === LEFT_OUT_NODE ||
      record[0] === LINK && this.#leftOutNodes.size > 0 &&
        this.#leftOutNodes.has(this.#realPath(record[2]));
    if (isLeftOutNode) {
      if (this.#leftOutNodes.size < MAX_LEFT_OUT_NODES) this.#leftOutNodes.add(path);
    } else if (this.#leftOutNodes.size > 0) this.#leftOutNodes.delete(path);
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
        const late = this.#layer.late.symlink(leftOutLink(record));
        this.#clear(path).link(late.directory, late.name, basename(path));
        this.#forget();
        return;
      }
      case LEFT_OUT_NODE:
        this.#clear(path);
    }
  }

  /** What is outside is only remembered, as far as it can lead to a path inside. */
  #applyLeftOut(record: Record, path: ByteString, isAncestor: boolean): void {
    let link: LeftOutLink | undefined;
    const isDirectory = record[0] === DIRECTORY;
    if (record[0] !== LINK) this.#layer.late.drop(path);
    switch (record[0]) {
      case FILE:
      case SYMLINK: {
        // By name it was inside, so its node was made; where it really lies it is left out.
        const { nodes, late } = this.#layer;
        const name = String(record[2]);
        if (record[0] === SYMLINK) link = this.#nodeAsLink(name);
        else late.keep(path, nodes, name);
        nodes.unlink(name);
        break;
      }
      case LEFT_OUT_FILE:
        if (record[1] !== path) this.#layer.late.found(path, record[2]);
        break;
      case LEFT_OUT_SYMLINK:
        link = leftOutLink(record);
        break;
      case LINK:
        link = this.#leftOutHardLink(path, record[2]);
        break;
    }
    if (isAncestor && !isDirectory) this.#remove(path);
    if (link !== undefined) {
      this.#paths.setLeftOut(path, link);
      // Even where nothing was followed: the name may have been resolved as still to be made.
      this.#forget();
    } else if (this.#paths.deleteLeftOut(path)) {
      this.#forget();
    }
  }

  /** A hard link outside: it can stand for a node inside, or for a symbolic link. */
  #leftOutHardLink(path: ByteString, target: ByteString): LeftOutLink | undefined {
    const targetPath = this.#realPath(target);
    if (this.#allowlist.place(targetPath) !== "inside") return this.#paths.leftOut(targetPath);
    const directory = this.#directories.get(dirname(targetPath));
    const name = basename(targetPath);
    const node = directory?.stat(name);
    if (node === undefined || node.type === "directory") return undefined;
    this.#layer.late.keep(path, directory!, name);
    if (node.type !== "symlink") return undefined;
    return { target: directory!.readlink(name), owner: node, mtime: node.mtime };
  }

  #nodeAsLink(name: ByteString): LeftOutLink {
    const node = this.#layer.nodes.stat(name)!;
    return { target: this.#layer.nodes.readlink(name), owner: node, mtime: node.mtime };
  }

  #placeNode(
    [kind, given, node, uid, gid]: RecordOf<typeof FILE | typeof SYMLINK>,
    path: ByteString,
  ): void {
    this.#put(this.#layer.nodes, String(node), path);
    if (kind === SYMLINK) this.#forget();
    if (given !== path) this.#correctOwner(given, path, { uid, gid });
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
  #correctOwner(given: ByteString, path: ByteString, archive: Owner): void {
    const owner = this.#ownerOf(path, archive);
    if (owner === undefined) return;
    if (this.#allowlist.isServerOwned(path) === this.#allowlist.isServerOwned(given)) return;
    this.#parent(path).chown(basename(path), owner);
  }

  #placeDirectory(record: RecordOf<typeof DIRECTORY>, path: ByteString): void {
    const [, , mode, uid, gid, seconds, nanoseconds] = record;
    this.#makeDirectory(path);
    const owner = this.#ownerOf(path, { uid, gid });
    logDirectory(this.#directoryLog, { path, mode, mtime: { seconds, nanoseconds }, owner });
  }

  #makeDirectory(path: ByteString): void {
    const parent = this.#parent(path);
    const name = basename(path);
    try {
      parent.mkdir(name, OPEN_MODE);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
      if (parent.stat(name)?.type !== "directory") {
        parent.unlink(name);
        parent.mkdir(name, OPEN_MODE);
        this.#linkChanged(path);
      }
    }
  }

  #placeLink(target: ByteString, path: ByteString): void {
    const targetPath = this.#realPath(target);
    if (targetPath === path) {
      throw new ArchiveError(`"${fromByteString(path)}" is a hard link to itself`);
    }
    if (this.#leftOutNodes.has(path)) {
      this.#clear(path);
      return;
    }
    if (this.#allowlist.place(targetPath) !== "inside") {
      const { late: content } = this.#layer;
      const symlink = this.#paths.leftOut(targetPath);
      const late = content.kept(targetPath) ?? content.link(path, targetPath, symlink);
      // A link, not a move: every hard link to one target is the same file.
      this.#clear(path).link(late.directory, late.name, basename(path));
      if (symlink !== undefined) this.#forget();
      return;
    }
    this.#clear(path);
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
    // An opaque whiteout hides what is in the directory, not the directory itself.
    const stays = (left: ByteString) => opaque && left === path || this.#upper!.has(left);
    this.#paths.deleteLeftOutBelow(path, stays);
    this.#layer.late.dropBelow(path, stays);
    this.#forget();
    if (this.#allowlist.place(path) === "outside") return;
    const directory = this.#directories.get(opaque ? path : dirname(path));
    if (directory === undefined) return;
    if (!opaque) this.#removeLower(path);
    else for (const name of directory.names()) this.#removeLower(join(path, name));
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
    parent.mkdir(name, OPEN_MODE);
    // Logged like one that has an entry, since it may take the place of one that had.
    const owner = this.#ownerOf(path, { uid: 0, gid: 0 });
    logDirectory(this.#directoryLog, { path, mode: IMPLIED_MODE, mtime: undefined, owner });
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

  /** Whether a directory's own path is its real one, as far as can be told cheaply: most are. */
  #isPlain(path: ByteString): boolean {
    if (this.#paths.mayLead(path)) return false;
    // Links on disk are all inside; what is outside by name has none of them on the way, unless
    // something inside is on the way itself.
    if (this.#allowlist.place(path) !== "inside" && !this.#passesInside(path)) return true;
    return this.#directories.get(path) !== undefined;
  }

  /** Package state lies outside below an allowed directory. */
  #passesInside(path: ByteString): boolean {
    for (let at = path; at !== ""; at = dirname(at)) {
      if (this.#allowlist.place(at) === "inside") return true;
    }
    return false;
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

function leftOutLink(
  [, , target, uid, gid, seconds, nanoseconds]: RecordOf<typeof LEFT_OUT_SYMLINK>,
): LeftOutLink {
  return { target, owner: { uid, gid }, mtime: { seconds, nanoseconds } };
}

/** A device in an application's directories is a mistake; thousands of them are an attack. */
const MAX_LEFT_OUT_NODES = 4096;

/** What linkat answers when the target is missing, below a file, or a directory. */
const LINK_FAULTS: readonly number[] = [Errno.ENOENT, Errno.ENOTDIR, Errno.EPERM];
