import { ArchiveError } from "../error.ts";
import { BLOCK } from "./header.ts";
import { parseDecimal, parseNumeric } from "./numeric.ts";
import { type PaxRecords, SPARSE_MAP } from "./pax.ts";

/** Where the stored bytes of a sparse file belong: `offset, length, offset, length, …`. */
export type SparseMap = number[];

/** The four entries of an old GNU sparse header start here, and its real size. */
const HEADER_ENTRIES = 386;
const HEADER_EXTENDED = 482;
const HEADER_REAL_SIZE = 483;
const EXTENSION_EXTENDED = 504;

export interface OldSparse {
  readonly map: SparseMap;
  readonly realSize: number;
  /** Another block of entries follows the header. */
  readonly extended: boolean;
}

/** The old GNU format's map, as far as it is in the header itself. */
export function oldSparseHeader(block: Uint8Array, at: number): OldSparse {
  const map: SparseMap = [];
  oldEntries(block, at + HEADER_ENTRIES, 4, map);
  return {
    map,
    realSize: parseNumeric(block, at + HEADER_REAL_SIZE, 12),
    extended: block[at + HEADER_EXTENDED] !== 0,
  };
}

/** Adds an extension block's 21 entries; answers whether yet another follows. */
export function oldSparseExtension(block: Uint8Array, at: number, map: SparseMap): boolean {
  oldEntries(block, at, 21, map);
  return block[at + EXTENSION_EXTENDED] !== 0;
}

function oldEntries(block: Uint8Array, start: number, count: number, map: SparseMap): void {
  for (let at = start; at < start + count * 24; at += 24) {
    if (block[at] === 0) return;
    map.push(parseNumeric(block, at, 12), parseNumeric(block, at + 12, 12));
  }
}

/** Which GNU PAX sparse format the records announce; undefined: none. */
export function paxSparseFormat(records: PaxRecords): "in records" | "in content" | undefined {
  const major = records.get("GNU.sparse.major") ?? "";
  const minor = records.get("GNU.sparse.minor") ?? "";
  if (major === "1" && minor === "0") return "in content";
  if (major === "0" && (minor === "0" || minor === "1")) return "in records";
  if (major !== "" || minor !== "") {
    throw new ArchiveError(`the GNU sparse format ${major}.${minor} is unknown`);
  }
  return records.has(SPARSE_MAP) ? "in records" : undefined;
}

/** The map of formats 0.0 and 0.1. */
export function paxSparseMap(records: PaxRecords): SparseMap {
  const text = records.get(SPARSE_MAP) ?? "";
  const map = text === "" ? [] : text.split(",").map((n) => parseDecimal(n, SPARSE_MAP));
  const blocks = records.get("GNU.sparse.numblocks") ?? "";
  if (map.length !== 2 * parseDecimal(blocks, "GNU.sparse.numblocks")) {
    throw new ArchiveError("a GNU sparse map does not have as many entries as it says");
  }
  return map;
}

/** The map of format 1.0, which stands in the content's first blocks as lines of decimal numbers. */
export class ContentSparseMap {
  #numbers: number[] = [];
  #partial = "";
  #count: number | undefined;
  /** Bytes taken so far. */
  size = 0;

  /** Takes a block; answers the map when it is complete. */
  push(block: Uint8Array, at: number): SparseMap | undefined {
    this.size += BLOCK;
    for (let i = at; i < at + BLOCK; i++) {
      const byte = block[i]!;
      if (byte !== 0x0a) {
        // What follows the last line pads the block.
        if (this.#complete()) break;
        this.#partial += String.fromCharCode(byte);
        if (this.#partial.length > 20) throw new ArchiveError("a GNU sparse map is malformed");
        continue;
      }
      if (this.#complete()) break;
      const number = parseDecimal(this.#partial, "GNU sparse map");
      this.#partial = "";
      if (number < 0) throw new ArchiveError("a GNU sparse map is malformed");
      if (this.#count === undefined) this.#count = number;
      else this.#numbers.push(number);
    }
    return this.#complete() ? this.#numbers : undefined;
  }

  #complete(): boolean {
    return this.#count !== undefined && this.#numbers.length >= 2 * this.#count;
  }
}

/**
 * Checks a map against the file's size and the bytes the archive stores for it.
 *
 * @throws {ArchiveError} when entries overlap, run backwards or past the size, or do not add up
 */
export function validateSparse(map: SparseMap, realSize: number, stored: number): void {
  let previousEnd = 0;
  let total = 0;
  for (let i = 0; i < map.length; i += 2) {
    const offset = map[i]!;
    const length = map[i + 1]!;
    if (offset < previousEnd || length < 0 || offset + length > realSize) {
      throw new ArchiveError("a GNU sparse map is not in order or exceeds the file");
    }
    previousEnd = offset + length;
    total += length;
  }
  if (total !== stored) {
    throw new ArchiveError("a GNU sparse map does not match the bytes that are stored");
  }
}
