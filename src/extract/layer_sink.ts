import { ArchiveError } from "../archive/error.ts";
import type { TarEntry, TarHandler } from "../archive/tar/entry.ts";
import { type ByteString, fromByteString } from "../bytes.ts";
import type { FileQueue, FileWriter } from "../os/file.ts";
import type { Owner } from "../os/metadata.ts";
import type { Allowlist } from "./allowlist.ts";
import type { LayerArea } from "./layer_area.ts";
import { LayerNodes, type NewNode } from "./layer_nodes.ts";
import type { Meter } from "./limits.ts";
import { ownerOf, type Ownership } from "./ownership.ts";
import { basename, cleanPath, dirname, join } from "./path.ts";
import { type LeftOutSummary, RecordWriter } from "./record_log.ts";
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
  SYMLINK,
  WHITEOUT,
} from "./record.ts";

const WHITEOUT_PREFIX = ".wh.";
const OPAQUE_MARKER = ".wh..wh..opq";
/** Setuid and setgid are dropped in overlay mode (contract section 4). */
const KEPT_MODE = 0o1777;

/** Small files of the image that overlay mode leaves out and the launch wants to read. */
export const CAPTURED: readonly ByteString[] = ["etc/passwd", "etc/group"];
const CAPTURE_LIMIT = 1024 * 1024;

/** What a layer's extraction tells besides its records. */
export interface LayerSummary {
  readonly files: number;
  /** Devices and FIFOs that were left out. */
  readonly leftOut: readonly string[];
  readonly leftOutCount: number;
  /** Captured files; an empty value is a file that is there and empty. */
  readonly captured: readonly (readonly [path: ByteString, content: Uint8Array])[];
  readonly hasWhiteouts: boolean;
  readonly leftOutEntries: LeftOutSummary;
  /** The named nodes are all that the layer brings inside, and at the paths it means. */
  readonly isPlain: boolean;
  /** Directories of the named nodes that no entry describes. */
  readonly implied: readonly ByteString[];
}

/**
 * Takes a layer's entries as they are read: content goes to nodes, finished with all their
 * metadata, and what each entry means to a record. Only the layer's own area is written to here;
 * what becomes of it is `MergedTree`'s to say, once all layers below are known.
 */
export class LayerSink implements TarHandler {
  readonly #nodes: LayerNodes;
  readonly #records: RecordWriter;
  readonly #allowlist: Allowlist;
  readonly #ownership: Ownership | undefined;
  readonly #meter: Meter;

  #entries = 0;
  #current: TarEntry | undefined;
  #file: FileWriter | undefined;
  /** Of the file. */
  #owner: Owner | undefined;
  #capture: { path: ByteString; bytes: Uint8Array } | undefined;

  #files = 0;
  #leftOut: string[] = [];
  #leftOutCount = 0;
  #captured = new Map<ByteString, Uint8Array>();
  #hasWhiteouts = false;

  constructor(
    options: {
      readonly area: LayerArea;
      readonly allowlist: Allowlist;
      /** Undefined: nothing is chowned, since the runner is not root. */
      readonly ownership: Ownership | undefined;
      readonly meter: Meter;
      /** Writes the files' content; undefined: it is written at once. */
      readonly queue: FileQueue | undefined;
    },
  ) {
    const { area, allowlist } = options;
    this.#nodes = new LayerNodes(area, options.queue);
    this.#records = new RecordWriter(
      area.directory,
      (path) => allowlist.place(path) === "inside",
    );
    this.#allowlist = allowlist;
    this.#ownership = options.ownership;
    this.#meter = options.meter;
  }

  /** Completes the records. */
  close(): LayerSummary {
    this.#nodes.close();
    return {
      files: this.#files,
      leftOut: this.#leftOut,
      leftOutCount: this.#leftOutCount,
      captured: [...this.#captured],
      hasWhiteouts: this.#hasWhiteouts,
      leftOutEntries: this.#records.close(),
      isPlain: this.#nodes.isPlain,
      implied: this.#nodes.implied,
    };
  }

  entry(entry: TarEntry): boolean {
    this.#meter.addEntry();
    const index = this.#entries++;
    const path = cleanPath(entry.path);
    if (path === "") {
      if (entry.type === "directory") return false;
      throw new ArchiveError(`an entry would turn the root into a ${entry.type}`);
    }
    const name = basename(path);
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(dirname(path), name);
      return false;
    }
    switch (entry.type) {
      case "directory":
        this.#directory(path, entry);
        return false;
      case "link":
        this.#link(path, cleanPath(entry.linkPath));
        return false;
    }
    const isInside = this.#allowlist.place(path) === "inside";
    switch (entry.type) {
      case "file":
        return isInside ? this.#openFile(path, entry) : this.#leaveOutFile(path, entry, index);
      case "symlink":
        if (isInside) this.#symlink(path, entry);
        else this.#leaveOutSymlink(path, entry);
        return false;
      default:
        if (isInside) {
          this.#leftOutCount++;
          if (this.#leftOut.length < 3) this.#leftOut.push(fromByteString(path));
        }
        this.#apply([LEFT_OUT_NODE, path]);
        return false;
    }
  }

  content(bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    if (this.#file !== undefined) this.#file.write(bytes, offset);
    else this.#capture!.bytes.set(bytes, offset);
  }

  end(): void {
    const entry = this.#current!;
    if (this.#file === undefined) {
      this.#captured.set(this.#capture!.path, this.#capture!.bytes);
      this.#capture = undefined;
      return;
    }
    finishFile(this.#file, entry, this.#owner);
    this.#file = undefined;
  }

  #directory(path: ByteString, { mode, uid, gid, mtime }: TarEntry): void {
    const { seconds, nanoseconds } = mtime;
    const record = [DIRECTORY, path, mode & KEPT_MODE, uid, gid, seconds, nanoseconds] as const;
    const place = this.#allowlist.place(path);
    if (place === "inside") this.#nodes.directory(path);
    if (place !== "outside") this.#records.append("other", record);
    else this.#records.appendLeftOut(record, path);
  }

  #link(path: ByteString, target: ByteString): void {
    const record = [LINK, path, target] as const;
    const isInside = [path, target].every((at) => this.#allowlist.place(at) === "inside");
    if (isInside && this.#nodes.link(path, target)) this.#records.append("named", record);
    else this.#apply(record);
  }

  #openFile(path: ByteString, entry: TarEntry): boolean {
    // Holes take no room, but the size a file claims counts all the same.
    if (entry.sparse) this.#meter.addBytes(entry.size);
    this.#files++;
    this.#current = entry;
    const made = this.#nodes.file(path);
    this.#file = made.file;
    this.#owner = this.#ownerOf(path, entry);
    this.#made(FILE, path, made, entry);
    return true;
  }

  #leaveOutFile(path: ByteString, entry: TarEntry, index: number): boolean {
    const record = [LEFT_OUT_FILE, path, index] as const;
    // Where a directory should be on the way to something allowed, a file is more than left out.
    if (this.#allowlist.place(path) === "ancestor") this.#apply(record);
    else this.#records.appendLeftOut(record, dirname(path));
    if (!CAPTURED.includes(path) || entry.size > CAPTURE_LIMIT) return false;
    this.#current = entry;
    this.#capture = { path, bytes: new Uint8Array(entry.size) };
    return true;
  }

  #symlink(path: ByteString, entry: TarEntry): void {
    if (entry.linkPath === "") {
      throw new ArchiveError(`the symbolic link "${fromByteString(path)}" has no target`);
    }
    const made = this.#nodes.symlink(path, entry.linkPath);
    made.directory.utimes(made.name, entry.mtime);
    const owner = this.#ownerOf(path, entry);
    if (owner !== undefined) made.directory.chown(made.name, owner);
    this.#made(SYMLINK, path, made, entry);
  }

  #made(
    kind: typeof FILE | typeof SYMLINK,
    path: ByteString,
    { node }: NewNode,
    { uid, gid }: Owner,
  ): void {
    this.#records.append(node === NAMED ? "named" : "other", [kind, path, node, uid, gid]);
  }

  #leaveOutSymlink(path: ByteString, { linkPath, uid, gid, mtime }: TarEntry): void {
    const { seconds, nanoseconds } = mtime;
    const record = [LEFT_OUT_SYMLINK, path, linkPath, uid, gid, seconds, nanoseconds] as const;
    // Names below one on the way to something allowed mean other paths than they say.
    if (this.#allowlist.place(path) === "ancestor") this.#apply(record);
    else this.#records.append("other", record);
  }

  #whiteout(directory: ByteString, name: ByteString): void {
    this.#hasWhiteouts = true;
    if (name === OPAQUE_MARKER) return this.#apply([OPAQUE, directory]);
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      const shown = fromByteString(join(directory, name));
      throw new ArchiveError(`the whiteout "${shown}" names nothing within its directory`);
    }
    this.#apply([WHITEOUT, join(directory, hidden)]);
  }

  #ownerOf(path: ByteString, entry: TarEntry): Owner | undefined {
    return ownerOf(path, entry, this.#allowlist, this.#ownership);
  }

  /** Records what takes effect at its place among the layer's entries. */
  #apply(record: Record): void {
    this.#nodes.setNotPlain();
    this.#records.append("other", record);
  }
}

/** Completes a file whose content has been written. */
export function finishFile(file: FileWriter, entry: TarEntry, owner: Owner | undefined): void {
  const { sparse, size, mode, mtime } = entry;
  file.finish({ size: sparse ? size : undefined, mode: mode & KEPT_MODE, mtime, owner });
}
