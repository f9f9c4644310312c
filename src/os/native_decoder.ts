import type { CodecFunctions } from "./codec.ts";
import { NativeFileQueue, OP_SIZE, OPS_A_SLOT } from "./native_file_queue.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Decoders with threads that are open at once, at most. */
export const DECODERS_AT_ONCE = 3;

/** The beginning of `struct decoder` (helper/codec/decoder.h), in bytes. */
const SLOTS = 12;
const SHA256_SIZE = 32;
const DIGEST_AT = 4 * 2 * SLOTS;
const MALFORMED_AT = DIGEST_AT + 2 * SHA256_SIZE;
const INCOMPLETE_AT = MALFORMED_AT + 4;
const FAILED_AT = INCOMPLETE_AT + 4;
const MADE_AT = FAILED_AT + 4 * 4;
const ENDED_AT = MADE_AT + 4;
const WANTED_AT = ENDED_AT + 4;
/** Doubles, which begin at a multiple of their size. */
const FILE_OPS_AT = Math.ceil((WANTED_AT + 4) / 8) * 8;

/**
 * A gzipped layer being decoded and hashed: the blob's bytes are given, the tar's taken. Must be
 * closed.
 */
export class NativeDecoder {
  readonly #state: Bytes;
  readonly #words: Uint32Array;
  readonly #functions: CodecFunctions;
  #onClose: (() => void) | undefined;
  #released = 0;
  /** Takes what is to be written of the bytes that were taken. */
  readonly files: NativeFileQueue;

  /** @param onClose told once when nothing is asked of this object any more */
  constructor(state: Bytes, functions: CodecFunctions, onClose: () => void) {
    this.#onClose = onClose;
    this.#state = state;
    this.#words = new Uint32Array(state.buffer);
    this.#functions = functions;
    const ops = new Float64Array(state.buffer, FILE_OPS_AT, SLOTS * OPS_A_SLOT * OP_SIZE);
    const failed = new Uint32Array(state.buffer, FAILED_AT, 4);
    const flush = (count: number) => functions.flush(state, count);
    const allSlots = SLOTS * DECODERS_AT_ONCE;
    this.files = new NativeFileQueue({ ops, failed, flush, allSlots });
  }

  /** Copies as many bytes as there is room for. @returns how many those are */
  give(bytes: Bytes): number {
    return Number(this.#functions.give(this.#state, bytes, BigInt(bytes.length)));
  }

  /** What is given from now on counts for the digest only; what was decoded must still be taken. */
  drop(): void {
    this.#functions.drop(this.#state);
  }

  /** No more bytes will be given. */
  end(): void {
    this.#functions.close(this.#state);
  }

  /**
   * The next of the tar's bytes, until `release`, and the files' turn to be told of them; undefined
   * as long as there are none, "ended" when none will come.
   */
  take(): Bytes | "ended" | undefined {
    // In this order: what was made before the end is seen.
    const hasEnded = Atomics.load(this.#words, ENDED_AT / 4) !== 0;
    if (Atomics.load(this.#words, MADE_AT / 4) === this.#released) {
      return hasEnded ? "ended" : undefined;
    }
    const slot = this.#released % SLOTS;
    this.files.begin(slot);
    const at = this.#words[slot]!;
    return this.#state.subarray(at, at + this.#words[SLOTS + slot]!);
  }

  release(): void {
    this.#released = (this.#released + 1) >>> 0;
    this.#functions.release(this.#state, this.files.count);
  }

  /** Whether the codec waits for this decoder. */
  set wanted(wanted: boolean) {
    this.#words[WANTED_AT / 4] = wanted ? 1 : 0;
  }

  /** At the end: `enum decoded` of helper/codec/inflate.h if the stream is malformed, else 0. */
  get malformed(): number {
    return this.#words[MALFORMED_AT / 4]!;
  }

  /** At the end: whether the stream lacks its own. */
  get incomplete(): boolean {
    return this.#words[INCOMPLETE_AT / 4] !== 0;
  }

  /** At the end: SHA-256 of all that was given, in hexadecimal. */
  get digest(): string {
    return this.#hash(DIGEST_AT);
  }

  /** At the end: SHA-256 of all that was taken, in hexadecimal. */
  get diffId(): string {
    return this.#hash(DIGEST_AT + SHA256_SIZE);
  }

  /** The thread ends soon; nothing may be asked afterwards. */
  close(): void {
    if (this.#onClose === undefined) return;
    this.#functions.stop(this.#state);
    this.#onClose();
    this.#onClose = undefined;
  }

  #hash(at: number): string {
    return this.#state.subarray(at, at + SHA256_SIZE).toHex();
  }
}
