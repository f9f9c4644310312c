import { type ByteString, byteString, fromByteString } from "../../bytes.ts";
import type { Time } from "../../os/metadata.ts";
import { ArchiveError } from "../error.ts";
import { parseDecimal } from "./numeric.ts";

export type PaxRecords = Map<ByteString, ByteString>;

const SPARSE_OFFSET = "GNU.sparse.offset";
const SPARSE_LENGTH = "GNU.sparse.numbytes";
export const SPARSE_MAP = "GNU.sparse.map";

/**
 * The records of a PAX extended header: `length key=value\n` each (POSIX.1, pax). The repeated
 * offset and length records of GNU's sparse format 0.0 become the map record of 0.1.
 *
 * @throws {ArchiveError} on the first malformed record
 */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const records: PaxRecords = new Map();
  const sparse: ByteString[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { key, value, end } = parseRecord(bytes, at);
    at = end;
    if (key === SPARSE_OFFSET || key === SPARSE_LENGTH) {
      const expected = sparse.length % 2 === 0 ? SPARSE_OFFSET : SPARSE_LENGTH;
      if (key !== expected || value.includes(",")) malformed();
      sparse.push(value);
    } else {
      records.set(key, value);
    }
  }
  if (sparse.length > 0) records.set(SPARSE_MAP, sparse.join(","));
  return records;
}

function parseRecord(bytes: Uint8Array, start: number) {
  const space = bytes.indexOf(0x20, start);
  if (space < 0 || space === start || space - start > 10) malformed();
  let length = 0;
  for (let at = start; at < space; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) malformed();
    length = length * 10 + digit;
  }
  const end = start + length;
  const equals = bytes.indexOf(0x3d, space);
  if (
    end > bytes.length || end - 1 <= space || bytes[end - 1] !== 0x0a ||
    equals <= space + 1 || equals >= end
  ) {
    malformed();
  }
  const key = byteString(bytes, space + 1, equals);
  const value = byteString(bytes, equals + 1, end - 1);
  const isName = key === "path" || key === "linkpath" || key === "uname" || key === "gname";
  if ((isName ? value : key).includes("\0")) {
    throw new ArchiveError(`the PAX record "${fromByteString(key)}" holds a NUL byte`);
  }
  return { key, value, end };
}

function malformed(): never {
  throw new ArchiveError("a PAX header is malformed");
}

/** `seconds[.fraction]`, digits past nanoseconds dropped. @throws {ArchiveError} */
export function parsePaxTime(text: ByteString): Time {
  const match = /^([+-]?[0-9]{1,19})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw new ArchiveError("a PAX time is not a number");
  const seconds = parseDecimal(match[1]!, "mtime");
  const nanoseconds = Number((match[2] ?? "").padEnd(9, "0").slice(0, 9));
  if (nanoseconds === 0 || !text.startsWith("-")) return { seconds, nanoseconds };
  return { seconds: seconds - 1, nanoseconds: 1e9 - nanoseconds };
}
