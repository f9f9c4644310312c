import { createHash, type Hash } from "node:crypto";

/**
 * A running hash over bytes that pass by, compared at the end of the stream.
 *
 * @example `const check = new Verifier(descriptor.digest); check.update(chunk); check.matches()`
 */
export class Verifier {
  readonly #hash: Hash;
  readonly #algorithm: string;
  readonly expected: string;

  /** @param expected `algorithm:hex`, with an algorithm of node:crypto (sha256, sha512) */
  constructor(expected: string) {
    this.expected = expected;
    this.#algorithm = expected.slice(0, expected.indexOf(":"));
    this.#hash = createHash(this.#algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** What the bytes were, as `algorithm:hex`; ends the hash. */
  actual(): string {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}
