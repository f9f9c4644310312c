import { type ByteString, fromByteString } from "../../bytes.ts";
import { ArchiveError } from "../error.ts";
import type { EntryType, TarEntry, TarLimits } from "./entry.ts";
import { cText, type RawHeader } from "./header.ts";
import { parseDecimal } from "./numeric.ts";
import { parsePax, parsePaxTime, type PaxRecords } from "./pax.ts";
import {
  type OldSparse,
  oldSparseHeader,
  paxSparseFormat,
  paxSparseMap,
  type SparseMap,
} from "./sparse.ts";

/** An entry and how its bytes are stored. */
export interface EntryAndBody {
  readonly entry: TarEntry;
  /** Bytes in the archive, without padding; for a sparse file fewer than `entry.size`. */
  readonly stored: number;
  readonly sparseMap: SparseMap | undefined;
  readonly mapInContent: boolean;
  readonly oldSparse: OldSparse | undefined;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  S: "file",
  "1": "link",
  "2": "symlink",
  "3": "character device",
  "4": "block device",
  "5": "directory",
  "6": "fifo",
};

const PAX = "x";
const SOLARIS_PAX = "X";
const GLOBAL_PAX = "g";
const LONG_NAME = "L";
const LONG_LINK = "K";

/** Gathers the extension headers that precede an entry and makes the entry of them all. */
export class EntryBuilder {
  readonly #limits: TarLimits;
  #pax: PaxRecords | undefined;
  #longName: ByteString = "";
  #longLink: ByteString = "";

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** An extension still waits for its entry. */
  get pending(): boolean {
    return this.#pax !== undefined || this.#longName !== "" || this.#longLink !== "";
  }

  isExtension(flag: string): boolean {
    return flag === PAX || flag === GLOBAL_PAX || flag === LONG_NAME || flag === LONG_LINK ||
      flag === SOLARIS_PAX;
  }

  /** @throws {ArchiveError} when the payload is malformed */
  extend(flag: string, payload: Uint8Array): void {
    switch (flag) {
      case PAX:
      case SOLARIS_PAX:
        this.#pax = parsePax(payload);
        return;
      case GLOBAL_PAX:
        // Engines parse global records and apply none of them; an image must not mean one thing
        // to them and another here.
        parsePax(payload);
        return;
      case LONG_NAME:
        this.#longName = cText(payload, 0, payload.length);
        return;
      case LONG_LINK:
        this.#longLink = cText(payload, 0, payload.length);
    }
  }

  /** @throws {ArchiveError} when a record or the type is malformed, or a limit is exceeded */
  build(raw: RawHeader, block: Uint8Array, at: number): EntryAndBody {
    const pax = this.#pax;
    let path = pax?.get("path") || raw.path;
    path = this.#longName || path;
    const linkPath = this.#longLink || pax?.get("linkpath") || raw.linkPath;
    this.#pax = undefined;
    this.#longName = "";
    this.#longLink = "";

    const number = (key: string, value: number) => {
      const text = pax?.get(key);
      return text ? parseDecimal(text, key) : value;
    };
    let size = number("size", raw.size);
    if (size < 0) throw new ArchiveError("an entry has a negative size");

    const sparse = pax === undefined ? undefined : paxSparseFormat(pax);
    const oldSparse = raw.flag === "S" ? this.#oldSparse(raw, block, at) : undefined;
    const stored = size;
    if (oldSparse !== undefined) size = oldSparse.realSize;
    if (sparse !== undefined) {
      path = pax!.get("GNU.sparse.name") || path;
      size = number("GNU.sparse.size", number("GNU.sparse.realsize", size));
    }
    if (size < 0) throw new ArchiveError("a sparse file has a negative size");

    const type = this.#type(raw, path);
    if ((sparse ?? oldSparse) !== undefined && type !== "file") {
      throw new ArchiveError(`"${fromByteString(path)}" is sparse but not a file`);
    }
    this.#checkName(path);
    this.#checkName(linkPath);
    const mtime = pax?.get("mtime");
    return {
      entry: {
        path,
        type,
        size: type === "file" ? size : 0,
        mode: raw.mode & 0o7777,
        uid: id(number("uid", raw.uid)),
        gid: id(number("gid", raw.gid)),
        mtime: mtime ? parsePaxTime(mtime) : { seconds: raw.mtime, nanoseconds: 0 },
        linkPath,
        sparse: (sparse ?? oldSparse) !== undefined,
      },
      // What is not a file has no content, whatever its size field says (as in Go's archive/tar).
      stored: type === "file" ? stored : 0,
      sparseMap: sparse === "in records" ? paxSparseMap(pax!) : undefined,
      mapInContent: sparse === "in content",
      oldSparse,
    };
  }

  #oldSparse(raw: RawHeader, block: Uint8Array, at: number): OldSparse {
    if (!raw.isGnu) throw new ArchiveError("a sparse header is not in GNU format");
    return oldSparseHeader(block, at);
  }

  #type(raw: RawHeader, path: ByteString): EntryType {
    // Archives older than the type flag mark directories by the slash.
    if (raw.flag === "\0" && path.endsWith("/")) return "directory";
    const type = TYPES[raw.flag];
    if (type === undefined) {
      const flag = JSON.stringify(raw.flag);
      throw new ArchiveError(`"${fromByteString(path)}" is of the unknown type ${flag}`);
    }
    return type;
  }

  #checkName(name: ByteString): void {
    if (name.length > this.#limits.maxPathLength) {
      throw new ArchiveError(
        `a path of ${name.length} bytes exceeds the limit of ${this.#limits.maxPathLength}: ` +
          `"${fromByteString(name.slice(0, 64))}…"`,
      );
    }
  }
}

/** (uid_t)-1 means "leave as it is" to the kernel, and so is no owner. */
function id(value: number): number {
  if (value < 0 || value >= 0xffffffff) {
    throw new ArchiveError(`the owner ${value} of an entry is out of range`);
  }
  return value;
}
