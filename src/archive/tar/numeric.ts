import { ArchiveError } from "../error.ts";

/**
 * A numeric header field: octal digits between spaces and NULs, or base-256 (two's complement,
 * high bit set) as GNU and star write numbers that do not fit.
 *
 * @throws {ArchiveError} on other bytes, or past what a double holds exactly (2^53)
 */
export function parseNumeric(block: Uint8Array, start: number, length: number): number {
  const end = start + length;
  if (block[start]! & 0x80) return parseBase256(block, start, end);
  let at = start;
  let last = end;
  while (at < last && isPadding(block[at]!)) at++;
  while (last > at && isPadding(block[last - 1]!)) last--;
  let value = 0;
  for (; at < last; at++) {
    const digit = block[at]! - 0x30;
    if (digit < 0 || digit > 7) {
      // What follows a NUL is not part of the field.
      if (block[at] === 0) break;
      throw new ArchiveError("a number in a tar header is not octal");
    }
    value = value * 8 + digit;
  }
  return exact(value);
}

function isPadding(byte: number): boolean {
  return byte === 0 || byte === 0x20;
}

function parseBase256(block: Uint8Array, start: number, end: number): number {
  const negative = (block[start]! & 0x40) !== 0;
  const flip = negative ? 0xff : 0;
  let value = 0;
  for (let at = start; at < end; at++) {
    let byte = block[at]! ^ flip;
    if (at === start) byte &= 0x7f;
    value = exact(value * 256 + byte);
  }
  return negative ? -value - 1 : value;
}

function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new ArchiveError("a number in a tar header is too large");
  return value;
}

/** A decimal integer of a PAX record. @throws {ArchiveError} */
export function parseDecimal(text: string, what: string): number {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) {
    throw new ArchiveError(`the PAX record "${what}" is not a number`);
  }
  return exact(Number(text));
}
