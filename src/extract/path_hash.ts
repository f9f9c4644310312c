import type { ByteString } from "../bytes.ts";

/** 64 random bits. */
export type HashKey = readonly [low: number, high: number];

/**
 * HalfSipHash-2-4 (Aumasson and Bernstein's SipHash on words of 32 bits, which JavaScript has), 53
 * of its 64 bits: who does not know the key cannot make paths whose hashes collide, or share bits,
 * more often than by chance. Packages of it take bytes, or text as UTF-8, and give objects.
 *
 * @returns 1 to 2^53
 */
export function hashPath(path: ByteString, [k0, k1]: HashKey): number {
  let v0 = k0;
  let v1 = k1 ^ 0xee;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656462;
  let low = 0;
  const words = (path.length >> 2) + 1;
  // Of the four steps after the path's words, two make the lower half and two the upper.
  for (let step = 0; step < words + 4; step++) {
    if (step === words) v2 ^= 0xee;
    if (step === words + 2) {
      low = (v1 ^ v3) >>> 0;
      v1 ^= 0xdd;
    }
    const word = step < words ? wordAt(path, 4 * step) : 0;
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    }
    v0 ^= word;
  }
  return ((v1 ^ v3) >>> 11) * 0x100000000 + low + 1;
}

function rotate(word: number, bits: number): number {
  return word << bits | word >>> (32 - bits);
}

/** Four bytes from `at` on; the last word has the path's length where it has no bytes any more. */
function wordAt(path: ByteString, at: number): number {
  if (at + 4 <= path.length) {
    return path.charCodeAt(at) | path.charCodeAt(at + 1) << 8 | path.charCodeAt(at + 2) << 16 |
      path.charCodeAt(at + 3) << 24;
  }
  let word = path.length << 24;
  for (let i = at; i < path.length; i++) word |= path.charCodeAt(i) << (8 * (i - at));
  return word;
}
