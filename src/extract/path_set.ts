import type { ByteString } from "../bytes.ts";

/**
 * A set of paths in 8 bytes each: their 53-bit hashes, open addressing. Two paths that collide
 * count as one, which an image could only use against itself.
 */
export class PathSet {
  #slots: Float64Array<ArrayBuffer>;
  #size = 0;

  /** @param slots another one's, to be read only. @default an empty set */
  constructor(slots = new Float64Array(1024)) {
    this.#slots = slots;
  }

  get size(): number {
    return this.#size;
  }

  /** All there is to know of the set, as another isolate can be told it. */
  get slots(): Float64Array<ArrayBuffer> {
    return this.#slots;
  }

  /** @returns whether it was not in the set */
  add(path: ByteString): boolean {
    if (2 * (this.#size + 1) > this.#slots.length) this.#grow();
    const added = insert(this.#slots, hash(path));
    if (added) this.#size++;
    return added;
  }

  has(path: ByteString): boolean {
    return find(this.#slots, hash(path));
  }

  /** Whether a path is in both. */
  meets(other: PathSet): boolean {
    return other.#slots.some((value) => value !== 0 && find(this.#slots, value));
  }

  #grow(): void {
    const grown = new Float64Array(this.#slots.length * 2);
    for (const value of this.#slots) if (value !== 0) insert(grown, value);
    this.#slots = grown;
  }
}

function find(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  for (let at = value & mask;; at = (at + 1) & mask) {
    if (slots[at] === value) return true;
    if (slots[at] === 0) return false;
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
