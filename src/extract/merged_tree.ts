import { ArchiveError } from "../archive/error.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { Owner } from "../os/metadata.ts";
import { Errno, SystemError } from "../os/libc.ts";
import type { Allowlist } from "./allowlist.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { logDirectory } from "./directory_metadata.ts";
import { canGraft, graft } from "./graft.ts";
import type { LeftOutLink } from "./image_paths.ts";
import type { LateContent, LateNode } from "./late_content.ts";
import type { LayerArea } from "./layer_area.ts";
import type { LayerSummary } from "./layer_sink.ts";
import type { LineWriter } from "./line_file.ts";
import { ownerOf, type Ownership } from "./ownership.ts";
import { basename, dirname, join } from "./path.ts";
import { PathSet } from "./path_set.ts";
import { RECORD_KINDS, type RecordKind } from "./record_log.ts";
import {
  DIRECTORY,
  FILE,
  LEFT_OUT_FILE,
  LEFT_OUT_NODE,
  LEFT_OUT_SYMLINK,
  LINK,
  NAMED,
  OPAQUE,
  type Record,
  type RecordOf,
  SYMLINK,
  WHITEOUT,
} from "./record.ts";
import { RealPaths } from "./real_paths.ts";
import { StagedTree } from "./staged_tree.ts";

/** Directories that no entry describes. */
const IMPLIED_MODE = 0o755;

/** The layer whose records are being applied. */
export interface AppliedLayer {
  readonly area: LayerArea;
  readonly summary: LayerSummary;
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
  readonly #root: Directory;
  readonly #tree: StagedTree;
  readonly #paths: RealPaths;
  /** Modes and times of directories, set last: making a child needs the one and changes the other. */
  readonly #directoryLog: LineWriter;
  /** Real paths the current layer has touched, with their ancestors: its whiteouts spare them. */
  #upper: PathSet | undefined;
  #layer!: AppliedLayer;
  /** Devices and FIFOs: a hard link to one is left out with it. */
  readonly #leftOutNodes = new Set<ByteString>();
  /** Whether the layer was moved in whole: its directories are there. */
  #isWhole = false;
  /** Open directories of the layer's named nodes. */
  #named: DirectoryCache | undefined;

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
    this.#root = options.root;
    this.#tree = new StagedTree(options.root, {
      implied: (path) => this.#logImplied(path),
      replaced: (path) => this.#paths.changed(path),
      removed: () => this.#paths.forget(),
    });
    this.#paths = new RealPaths(options.allowlist, this.#tree);
  }

  /**
   * Begins a layer, moving its tree in whole where that comes to the same as its entries one by one.
   *
   * @returns the records that are still to be applied
   */
  beginLayer(layer: AppliedLayer): readonly RecordKind[] {
    const { area, summary } = layer;
    this.#named?.clear();
    this.#named = new DirectoryCache(area.named);
    this.#layer = layer;
    this.#upper = summary.hasWhiteouts ? new PathSet() : undefined;
    this.#isWhole = false;
    if (this.#needsLeftOut()) return RECORD_KINDS;
    if (!summary.isPlain || this.#paths.isLed || !canGraft(area.named, this.#root)) {
      return ["named", "other"];
    }
    for (const path of summary.implied) {
      if (this.#tree.get(path) === undefined) this.#logImplied(path);
    }
    graft(area.named, this.#root);
    this.#isWhole = true;
    this.#paths.forget();
    return ["other"];
  }

  /**
   * Whether the records of a layer's plain left-out files and directories can matter: a link leads
   * to them or out to them, or they take the place of something that is remembered.
   */
  #needsLeftOut(): boolean {
    const { directories, matterHere } = this.#layer.summary.leftOutEntries;
    if (matterHere || directories === undefined) return true;
    if (this.#layer.late.remembers || this.#leftOutNodes.size > 0) return true;
    return this.#paths.mayLeadTo(new PathSet(directories));
  }

  /** @throws {ArchiveError} for what no engine could make; {@linkcode SystemError} */
  apply(record: Record): void {
    this.#layer.late.follow(record);
    switch (record[0]) {
      case OPAQUE:
        return this.#whiteout(this.#paths.ofDirectory(record[1]), true);
      case WHITEOUT:
        return this.#whiteout(this.#paths.ofEntry(record[1]), false);
    }
    const path = this.#paths.ofEntry(record[1]);
    const place = this.#allowlist.place(path);
    if (this.#upper !== undefined) this.#touch(path);
    const isLeftOutNode = record[0] === LEFT_OUT_NODE ||
      record[0] === LINK && this.#leftOutNodes.size > 0 &&
        this.#leftOutNodes.has(this.#paths.ofEntry(record[2]));
    if (isLeftOutNode) {
      if (this.#leftOutNodes.size < MAX_LEFT_OUT_NODES) this.#leftOutNodes.add(path);
    } else if (this.#leftOutNodes.size > 0) this.#leftOutNodes.delete(path);
    if (place === "inside") this.#applyInside(record, path);
    else this.#applyLeftOut(record, path, place === "ancestor");
  }

  /** Closes what is open; the directory log is complete then. */
  close(): void {
    this.#named?.clear();
    this.#tree.close();
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
        this.#tree.clear(path).link(late.directory, late.name, basename(path));
        return;
      }
      case LEFT_OUT_SYMLINK: {
        const late = this.#layer.late.symlink(leftOutLink(record));
        this.#tree.clear(path).link(late.directory, late.name, basename(path));
        this.#paths.forget();
        return;
      }
      case LEFT_OUT_NODE:
        this.#tree.clear(path);
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
        const node = this.#node(record);
        if (record[0] === SYMLINK) link = nodeAsLink(node);
        else this.#layer.late.keep(path, node.directory, node.name);
        node.directory.unlink(node.name);
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
    if (isAncestor && !isDirectory) this.#tree.remove(path);
    this.#paths.setLeftOut(path, link);
  }

  /** A hard link outside: it can stand for a node inside, or for a symbolic link. */
  #leftOutHardLink(path: ByteString, target: ByteString): LeftOutLink | undefined {
    const targetPath = this.#paths.ofEntry(target);
    if (this.#allowlist.place(targetPath) !== "inside") return this.#paths.leftOut(targetPath);
    const directory = this.#tree.get(dirname(targetPath));
    const name = basename(targetPath);
    const node = directory?.stat(name);
    if (node === undefined || node.type === "directory") return undefined;
    this.#layer.late.keep(path, directory!, name);
    if (node.type !== "symlink") return undefined;
    return nodeAsLink({ directory: directory!, name });
  }

  /** Where a record's node waits. */
  #node([, path, number]: RecordOf<typeof FILE | typeof SYMLINK>): LateNode {
    return number === NAMED
      ? { directory: this.#named!.get(dirname(path))!, name: basename(path) }
      : { directory: this.#layer.area.numbered, name: String(number) };
  }

  #placeNode(record: RecordOf<typeof FILE | typeof SYMLINK>, path: ByteString): void {
    const [kind, given, , uid, gid] = record;
    const { directory, name } = this.#node(record);
    this.#tree.put(directory, name, path);
    if (kind === SYMLINK) this.#paths.forget();
    if (given !== path) this.#correctOwner(given, path, { uid, gid });
  }

  /** The node's owner was chosen by the name it had in the archive. */
  #correctOwner(given: ByteString, path: ByteString, archive: Owner): void {
    const owner = this.#ownerOf(path, archive);
    if (owner === undefined) return;
    if (this.#allowlist.isServerOwned(path) === this.#allowlist.isServerOwned(given)) return;
    this.#tree.parent(path).chown(basename(path), owner);
  }

  #placeDirectory(record: RecordOf<typeof DIRECTORY>, path: ByteString): void {
    const [, , mode, uid, gid, seconds, nanoseconds] = record;
    if (!this.#isWhole) this.#tree.makeDirectory(path);
    const owner = this.#ownerOf(path, { uid, gid });
    logDirectory(this.#directoryLog, { path, mode, mtime: { seconds, nanoseconds }, owner });
  }

  #placeLink(target: ByteString, path: ByteString): void {
    const targetPath = this.#paths.ofEntry(target);
    if (targetPath === path) {
      throw new ArchiveError(`"${fromByteString(path)}" is a hard link to itself`);
    }
    if (this.#leftOutNodes.has(path)) {
      this.#tree.clear(path);
      return;
    }
    if (this.#allowlist.place(targetPath) !== "inside") {
      const { late: content } = this.#layer;
      const symlink = this.#paths.leftOut(targetPath);
      const late = content.kept(targetPath) ?? content.link(path, targetPath, symlink);
      // A link, not a move: every hard link to one target is the same file.
      this.#tree.clear(path).link(late.directory, late.name, basename(path));
      this.#paths.forget();
      return;
    }
    this.#tree.clear(path);
    const from = this.#tree.get(dirname(targetPath));
    try {
      if (from === undefined) throw new SystemError("link", Errno.ENOENT);
      this.#tree.parent(path).link(from, basename(targetPath), basename(path));
      // What was linked may be a symbolic link.
      this.#paths.forget();
    } catch (error) {
      if (!(error instanceof SystemError) || !LINK_FAULTS.includes(error.errno)) throw error;
      throw new ArchiveError(
        `"${fromByteString(path)}" is a hard link to "${fromByteString(targetPath)}", ` +
          "which is not a file of the image",
        { cause: error },
      );
    }
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
    if (this.#allowlist.place(path) === "outside") return;
    const directory = this.#tree.get(opaque ? path : dirname(path));
    if (directory === undefined) return;
    if (!opaque) this.#removeLower(path);
    else for (const name of directory.names()) this.#removeLower(join(path, name));
  }

  #removeLower(path: ByteString): void {
    if (!this.#upper!.has(path)) {
      this.#tree.remove(path);
      return;
    }
    const directory = this.#tree.get(path);
    if (directory === undefined) return;
    for (const name of directory.names()) this.#removeLower(join(path, name));
  }

  #touch(path: ByteString): void {
    for (let at = path; at !== ""; at = dirname(at)) this.#upper!.add(at);
  }

  #ownerOf(path: ByteString, archive: Owner): Owner | undefined {
    return ownerOf(path, archive, this.#allowlist, this.#ownership);
  }

  /** Logged like one that has an entry, since it may take the place of one that had. */
  #logImplied(path: ByteString): void {
    const owner = this.#ownerOf(path, { uid: 0, gid: 0 });
    logDirectory(this.#directoryLog, { path, mode: IMPLIED_MODE, mtime: undefined, owner });
  }
}

function nodeAsLink({ directory, name }: LateNode): LeftOutLink {
  const { uid, gid, mtime } = directory.stat(name)!;
  return { target: directory.readlink(name), uid, gid, ...mtime };
}

function leftOutLink(
  [, , target, uid, gid, seconds, nanoseconds]: RecordOf<typeof LEFT_OUT_SYMLINK>,
): LeftOutLink {
  return { target, uid, gid, seconds, nanoseconds };
}

/** A device in an application's directories is a mistake; thousands of them are an attack. */
const MAX_LEFT_OUT_NODES = 4096;

/** What linkat answers when the target is missing, below a file, or a directory. */
const LINK_FAULTS: readonly number[] = [Errno.ENOENT, Errno.ENOTDIR, Errno.EPERM];
