import { fromByteString } from "../../bytes.ts";
import { ArchiveError } from "../error.ts";
import { type EntryAndBody, EntryBuilder } from "./entry_builder.ts";
import type { TarHandler, TarLimits } from "./entry.ts";
import { BLOCK, isZeroBlock, parseHeader, type RawHeader } from "./header.ts";
import {
  ContentSparseMap,
  type OldSparse,
  oldSparseExtension,
  type SparseMap,
  validateSparse,
} from "./sparse.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What the next bytes of the archive are. */
const enum State {
  Header,
  /** The payload of a PAX header or GNU long name. */
  Extension,
  /** Further blocks of an old GNU sparse header. */
  SparseHeader,
  /** The map at the start of a PAX 1.0 sparse file's content. */
  SparseContent,
  Content,
  Padding,
  /** After one block of zeros. */
  MaybeEnd,
  End,
}

/**
 * Reads a tar stream pushed to it in chunks of any size: v7, ustar, PAX, GNU and star headers, all
 * sparse formats. Content is handed on as parts of the chunks; what is held is one header block and
 * one extension, whatever the archive says. Where formats are ambiguous it reads as Go's
 * archive/tar does, since that is what container engines read images with.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #limits: TarLimits;
  readonly #builder: EntryBuilder;
  #state = State.Header;

  /** A block that straddles chunks, and how much of it there is. */
  readonly #block = new Uint8Array(BLOCK);
  #blockSize = 0;

  #extension = new Uint8Array(0);
  #extensionSize = 0;
  #extensionFlag = "";

  #current: EntryAndBody | undefined;
  #wanted = false;
  /** Stored bytes of the content still to come, then of padding. */
  #stored = 0;
  #padding = 0;
  /** Where in the file the next stored byte belongs. */
  #offset = 0;
  #map: SparseMap | undefined;
  #mapIndex = 0;
  #contentMap: ContentSparseMap | undefined;
  #oldSparse: OldSparse | undefined;
  #extensionBlocks = 0;

  constructor(handler: TarHandler, limits: TarLimits) {
    this.#handler = handler;
    this.#limits = limits;
    this.#builder = new EntryBuilder(limits);
  }

  /** @throws {ArchiveError} naming what is malformed and the entry it was found at */
  push(chunk: Bytes): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case State.Content:
          at += this.#content(chunk, at);
          break;
        case State.Padding: {
          const skipped = Math.min(this.#padding, chunk.length - at);
          this.#padding -= skipped;
          at += skipped;
          if (this.#padding === 0) this.#state = State.Header;
          break;
        }
        case State.Extension:
          at += this.#takeExtension(chunk, at);
          break;
        default:
          at += this.#takeBlock(chunk, at);
      }
    }
  }

  /** Says that there are no more bytes. @throws {ArchiveError} when the archive is cut short */
  finish(): void {
    const atBoundary = this.#blockSize === 0 && !this.#builder.pending;
    const mayEnd = this.#state === State.Header || this.#state === State.MaybeEnd ||
      this.#state === State.End;
    if (!atBoundary || !mayEnd) {
      const entry = this.#current?.entry.path;
      const where = entry === undefined ? "" : ` after "${fromByteString(entry)}"`;
      throw new ArchiveError(`the archive is cut short${where}`);
    }
  }

  /** Hands a whole block on from the chunk itself, or gathers one that straddles chunks. */
  #takeBlock(chunk: Bytes, at: number): number {
    if (this.#blockSize === 0 && chunk.length - at >= BLOCK) {
      this.#onBlock(chunk, at);
      return BLOCK;
    }
    const taken = Math.min(BLOCK - this.#blockSize, chunk.length - at);
    this.#block.set(chunk.subarray(at, at + taken), this.#blockSize);
    this.#blockSize += taken;
    if (this.#blockSize === BLOCK) {
      this.#blockSize = 0;
      this.#onBlock(this.#block, 0);
    }
    return taken;
  }

  #onBlock(block: Bytes, at: number): void {
    switch (this.#state) {
      case State.Header:
        if (isZeroBlock(block, at)) this.#state = State.MaybeEnd;
        else this.#onHeader(block, at);
        return;
      case State.MaybeEnd:
        if (!isZeroBlock(block, at)) throw new ArchiveError("a single block of zeros is no end");
        this.#state = State.End;
        return;
      case State.End:
        // Archives are padded with zeros to their record size; anything else would be hidden data.
        if (!isZeroBlock(block, at)) {
          throw new ArchiveError("there are bytes after the end of the archive");
        }
        return;
      case State.SparseHeader:
        this.#countSparse();
        if (!oldSparseExtension(block, at, this.#oldSparse!.map)) this.#begin();
        return;
      case State.SparseContent: {
        this.#countSparse();
        if (this.#stored < BLOCK) throw new ArchiveError("a GNU sparse map is cut short");
        this.#stored -= BLOCK;
        const map = this.#contentMap!.push(block, at);
        if (map !== undefined) this.#beginSparse(map);
        return;
      }
    }
  }

  #countSparse(): void {
    this.#extensionBlocks += BLOCK;
    if (this.#extensionBlocks > this.#limits.maxPaxSize) {
      throw new ArchiveError(`a sparse map is larger than ${this.#limits.maxPaxSize} bytes`);
    }
  }

  #onHeader(block: Bytes, at: number): void {
    let raw: RawHeader;
    try {
      raw = parseHeader(block, at);
    } catch (error) {
      const entry = this.#current?.entry.path;
      if (entry === undefined || !(error instanceof ArchiveError)) throw error;
      throw new ArchiveError(`${error.message} (after "${fromByteString(entry)}")`);
    }
    if (this.#builder.isExtension(raw.flag)) {
      if (raw.size < 0 || raw.size > this.#limits.maxPaxSize) {
        throw new ArchiveError(
          `a PAX or long-name record of ${raw.size} bytes exceeds ${this.#limits.maxPaxSize}`,
        );
      }
      this.#extension = new Uint8Array(raw.size);
      this.#extensionSize = 0;
      this.#extensionFlag = raw.flag;
      this.#padding = padding(raw.size);
      if (raw.size > 0) this.#state = State.Extension;
      else this.#endExtension();
      return;
    }
    this.#current = this.#builder.build(raw, block, at);
    this.#extensionBlocks = 0;
    this.#oldSparse = this.#current.oldSparse;
    if (this.#oldSparse?.extended) this.#state = State.SparseHeader;
    else this.#begin();
  }

  #takeExtension(chunk: Bytes, at: number): number {
    const taken = Math.min(this.#extension.length - this.#extensionSize, chunk.length - at);
    this.#extension.set(chunk.subarray(at, at + taken), this.#extensionSize);
    this.#extensionSize += taken;
    if (this.#extensionSize === this.#extension.length) this.#endExtension();
    return taken;
  }

  #endExtension(): void {
    this.#builder.extend(this.#extensionFlag, this.#extension);
    this.#extension = new Uint8Array(0);
    this.#state = this.#padding > 0 ? State.Padding : State.Header;
  }

  /** The header is complete: the content begins, or the map that precedes it. */
  #begin(): void {
    const { stored, sparseMap, mapInContent } = this.#current!;
    this.#stored = stored;
    this.#padding = padding(stored);
    this.#map = undefined;
    if (mapInContent) {
      this.#contentMap = new ContentSparseMap();
      this.#state = State.SparseContent;
      return;
    }
    const map = this.#oldSparse?.map ?? sparseMap;
    if (map !== undefined) this.#beginSparse(map);
    else this.#announce();
  }

  #beginSparse(map: SparseMap): void {
    validateSparse(map, this.#current!.entry.size, this.#stored);
    this.#map = map;
    this.#mapIndex = 0;
    this.#contentMap = undefined;
    this.#announce();
  }

  #announce(): void {
    this.#wanted = this.#handler.entry(this.#current!.entry);
    this.#offset = 0;
    if (this.#stored > 0) this.#state = State.Content;
    else this.#endContent();
  }

  #content(chunk: Bytes, at: number): number {
    const taken = Math.min(this.#stored, chunk.length - at);
    if (this.#wanted) {
      if (this.#map !== undefined) this.#sparseContent(chunk.subarray(at, at + taken));
      else this.#handler.content(chunk.subarray(at, at + taken), this.#offset);
      this.#offset += taken;
    }
    this.#stored -= taken;
    if (this.#stored === 0) this.#endContent();
    return taken;
  }

  /** For a sparse file `#offset` counts stored bytes since the current map entry began. */
  #sparseContent(bytes: Bytes): void {
    let rest = bytes;
    let inEntry = this.#offset;
    const map = this.#map!;
    while (rest.length > 0) {
      const length = map[this.#mapIndex + 1]!;
      if (inEntry >= length) {
        inEntry -= length;
        this.#mapIndex += 2;
        continue;
      }
      const piece = rest.subarray(0, length - inEntry);
      this.#handler.content(piece, map[this.#mapIndex]! + inEntry);
      inEntry += piece.length;
      rest = rest.subarray(piece.length);
    }
    this.#offset = inEntry - bytes.length;
  }

  #endContent(): void {
    if (this.#wanted) this.#handler.end();
    this.#state = this.#padding > 0 ? State.Padding : State.Header;
  }
}

function padding(size: number): number {
  return (BLOCK - size % BLOCK) % BLOCK;
}
