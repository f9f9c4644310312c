import type { ByteString } from "../bytes.ts";

/** A {@linkcode PathSet} as another isolate can be told it. */
export interface SharedPaths {
  readonly slots: Float64Array<ArrayBuffer>;
  readonly seed: Seed;
}

type Seed = readonly [low: number, high: number];

/**
 * Of this isolate. Without it an archive could bring any number of paths that want one slot, each of
 * which would be compared with all before.
 */
const [low = 0, high = 0] = crypto.getRandomValues(new Uint32Array(2));
const SEED: Seed = [low, high];

/**
 * A set of paths in 8 bytes each: their 53-bit hashes, open addressing. Two paths that collide
 * count as one, which an image could only use against itself.
 */
export class PathSet {
  readonly #seed: Seed;
  #slots: Float64Array<ArrayBuffer>;
  #size = 0;

  /** @param shared another one, to be read only. @default an empty set */
  constructor(shared: SharedPaths = { slots: new Float64Array(1024), seed: SEED }) {
    this.#slots = shared.slots;
    this.#seed = shared.seed;
  }

  get size(): number {
    return this.#size;
  }

  get shared(): SharedPaths {
    return { slots: this.#slots, seed: this.#seed };
  }

  /** @returns whether it was not in the set */
  add(path: ByteString): boolean {
    if (2 * (this.#size + 1) > this.#slots.length) this.#grow();
    const added = insert(this.#slots, hash(path, this.#seed));
    if (added) this.#size++;
    return added;
  }

  has(path: ByteString): boolean {
    return find(this.#slots, hash(path, this.#seed));
  }

  /** Whether a path is in both, which are of one isolate. */
  meets(other: PathSet): boolean {
    return other.#slots.some((value) => value !== 0 && find(this.#slots, value));
  }

  #grow(): void {
    const grown = new Float64Array(this.#slots.length * 2);
    for (const value of this.#slots) if (value !== 0) insert(grown, value);
    this.#slots = grown;
  }
}

/** Where a hash is looked for first: all its bits count. */
function slotOf(value: number, mask: number): number {
  const high = Math.floor(value / 0x100000000);
  const mixed = Math.imul((value >>> 0) ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) & mask;
}

function find(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  for (let at = slotOf(value, mask);; at = (at + 1) & mask) {
    if (slots[at] === value) return true;
    if (slots[at] === 0) return false;
  }
}

function insert(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  let at = slotOf(value, mask);
  while (slots[at] !== 0) {
    if (slots[at] === value) return false;
    at = (at + 1) & mask;
  }
  slots[at] = value;
  return true;
}

/** Two FNV-1a hashes side by side, 53 bits of them; never 0, which marks a free slot. */
function hash(path: ByteString, [lowSeed, highSeed]: Seed): number {
  let low = 0x811c9dc5 ^ lowSeed;
  let high = 0x01000193 ^ highSeed;
  for (let i = 0; i < path.length; i++) {
    const byte = path.charCodeAt(i);
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 11) * 0x100000000 + (low >>> 0) + 1;
}
