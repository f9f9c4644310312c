import { type ByteString, byteString } from "../../bytes.ts";
import { ArchiveError } from "../error.ts";
import { parseNumeric } from "./numeric.ts";

export const BLOCK = 512;

/** A header block's own fields, before any extension is applied. */
export interface RawHeader {
  readonly path: ByteString;
  readonly linkPath: ByteString;
  /** The type flag's character. */
  readonly flag: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly isGnu: boolean;
}

/** Whether a block is all zeros (two of them end an archive). */
export function isZeroBlock(block: Uint8Array, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * Parses the header at an offset: v7, ustar, GNU or star.
 *
 * @throws {ArchiveError} when the checksum or a number is wrong
 */
export function parseHeader(block: Uint8Array, at: number): RawHeader {
  checkSum(block, at);
  let path = cText(block, at, 100);
  if (block[at + 345] !== 0 && holds(block, at + 257, "ustar\0")) {
    const isStar = holds(block, at + 508, "tar\0");
    path = `${cText(block, at + 345, isStar ? 131 : 155)}/${path}`;
  }
  return {
    path,
    linkPath: cText(block, at + 157, 100),
    flag: String.fromCharCode(block[at + 156]!),
    size: parseNumeric(block, at + 124, 12),
    mode: parseNumeric(block, at + 100, 8),
    uid: parseNumeric(block, at + 108, 8),
    gid: parseNumeric(block, at + 116, 8),
    mtime: parseNumeric(block, at + 136, 12),
    isGnu: holds(block, at + 257, "ustar  \0"),
  };
}

/** Whether these bytes are there; a string for each header would be dear. */
function holds(block: Uint8Array, at: number, text: ByteString): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The field up to its first NUL. */
export function cText(bytes: Uint8Array, start: number, length: number): ByteString {
  let end = start;
  const limit = start + length;
  while (end < limit && bytes[end] !== 0) end++;
  return byteString(bytes, start, end);
}

let viewed: Uint8Array | undefined;
let view: DataView;

/** The sum of at most 512 bytes, a multiple of four: by words, in two halves of 16 bits. */
function sum(bytes: Uint8Array, start: number, size: number): number {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  let halves = 0;
  for (let at = start; at < start + size; at += 4) {
    const word = view.getInt32(at, true);
    halves += (word & 0xff00ff) + ((word >>> 8) & 0xff00ff);
  }
  return (halves & 0xffff) + (halves >>> 16);
}

function checkSum(block: Uint8Array, at: number): void {
  // The checksum's own field counts as spaces; historic writers summed signed bytes.
  const unsigned = 8 * 0x20 + sum(block, at, 148) + sum(block, at + 156, BLOCK - 156);
  const stored = parseNumeric(block, at + 148, 8);
  if (stored === unsigned) return;
  let highBits = 0;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) highBits += block[at + i]! >> 7;
  if (stored !== unsigned - 256 * highBits) {
    throw new ArchiveError("a tar header's checksum is wrong");
  }
}
