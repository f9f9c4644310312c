/** Bounds on a whole image, counted over all its layers at once (contract section 5). */
export interface ImageLimits {
  /** Unpacked bytes. */
  readonly maxSize: number;
  /** Archive entries. */
  readonly maxEntries: number;
}

/** An image that is larger than it may be. */
export class LimitError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LimitError";
  }
}

/**
 * Counts what all layers unpack, in memory that the Workers share, so that an image is stopped at
 * its limit however its bytes are spread over layers.
 */
export class Meter {
  readonly #limits: ImageLimits;
  readonly #counts: BigInt64Array;

  /** @param shared 16 bytes, the same for every layer of an image */
  constructor(limits: ImageLimits, shared: SharedArrayBuffer) {
    this.#limits = limits;
    this.#counts = new BigInt64Array(shared);
  }

  /** @throws {LimitError} past the limit */
  addBytes(count: number): void {
    const before = Atomics.add(this.#counts, 0, BigInt(count));
    if (Number(before) + count > this.#limits.maxSize) {
      throw new LimitError(
        `the image unpacks to more than ${this.#limits.maxSize} bytes; ` +
          "if that is meant, raise RUNNER_MAX_SIZE",
      );
    }
  }

  /** @throws {LimitError} past the limit */
  addEntry(): void {
    if (Number(Atomics.add(this.#counts, 1, 1n)) >= this.#limits.maxEntries) {
      throw new LimitError(
        `the image has more than ${this.#limits.maxEntries} entries; ` +
          "if that is meant, raise RUNNER_MAX_ENTRIES",
      );
    }
  }

  get bytes(): number {
    return Number(Atomics.load(this.#counts, 0));
  }

  get entries(): number {
    return Number(Atomics.load(this.#counts, 1));
  }
}
