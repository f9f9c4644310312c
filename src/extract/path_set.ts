import type { ByteString } from "../bytes.ts";
import { type HashKey, hashPath } from "./path_hash.ts";

/** A {@linkcode PathSet} as another isolate can be told it. */
export interface SharedPaths {
  readonly slots: Float64Array<ArrayBuffer>;
  readonly key: HashKey;
}

/**
 * Of this isolate. Without it an archive could bring any number of paths that want one slot, each of
 * which would be compared with all before.
 */
const [low = 0, high = 0] = crypto.getRandomValues(new Uint32Array(2));
const KEY: HashKey = [low, high];

/**
 * A set of paths in 8 bytes each: their 53-bit hashes, open addressing. Two paths that collide
 * count as one, which an image could only use against itself.
 */
export class PathSet {
  readonly #key: HashKey;
  #slots: Float64Array<ArrayBuffer>;
  #size = 0;

  /** @param shared another one, to be read only. @default an empty set */
  constructor(shared: SharedPaths = { slots: new Float64Array(1024), key: KEY }) {
    this.#slots = shared.slots;
    this.#key = shared.key;
  }

  get size(): number {
    return this.#size;
  }

  get shared(): SharedPaths {
    return { slots: this.#slots, key: this.#key };
  }

  /** @returns whether it was not in the set */
  add(path: ByteString): boolean {
    if (2 * (this.#size + 1) > this.#slots.length) this.#grow();
    const added = insert(this.#slots, hashPath(path, this.#key));
    if (added) this.#size++;
    return added;
  }

  has(path: ByteString): boolean {
    return find(this.#slots, hashPath(path, this.#key));
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

/** A hash is looked for from the slot on that its lower bits say; all bits are as good. */
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
