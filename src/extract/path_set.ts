import type { ByteString } from "../bytes.ts";

/**
 * A set of paths in 8 bytes each: their 53-bit hashes, open addressing. Two paths that collide
 * count as one, which an image could only use against itself.
 */
export class PathSet {
  #slots = new Float64Array(1024);
  #size = 0;

  add(path: ByteString): void {
    if (2 * (this.#size + 1) > this.#slots.length) this.#grow();
    if (insert(this.#slots, hash(path))) this.#size++;
  }

  has(path: ByteString): boolean {
    const value = hash(path);
    const mask = this.#slots.length - 1;
    for (let at = value & mask;; at = (at + 1) & mask) {
      if (this.#slots[at] === value) return true;
      if (this.#slots[at] === 0) return false;
    }
  }

  #grow(): void {
    const grown = new Float64Array(this.#slots.length * 2);
    for (const value of this.#slots) if (value !== 0) insert(grown, value);
    this.#slots = grown;
  }
}

function insert(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  let at = value & mask;
  while (slots[at] !== 0) {
    if (slots[at] === value) return false;
    at = (at + 1) & mask;
  }
  slots[at] = value;
  return true;
}

/** Two FNV-1a hashes side by side, 53 bits of them; never 0, which marks a free slot. */
function hash(path: ByteString): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < path.length; i++) {
    const byte = path.charCodeAt(i);
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 11) * 0x100000000 + (low >>> 0) + 1;
}
