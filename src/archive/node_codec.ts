import { ArchiveError } from "./error.ts";

/**
 * The part of node:zlib's stream objects that decodes on the spot: input and output are ranges of
 * buffers the caller owns. The stream interface around it costs a copy and a promise for every
 * 256 KiB, a third of the speed (docs/benchmarks.md); this is the same decoder without it.
 */
interface CodecHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string) => void;
}

interface CodecStream {
  readonly _handle: CodecHandle;
  /** After each write: output bytes left unfilled, input bytes left unread. */
  readonly _writeState: Uint32Array;
}

/** What one {@linkcode NodeCodec.decode} did. */
export interface Step {
  readonly read: number;
  readonly written: number;
}

/** A decoder of node:zlib driven synchronously; must be closed. */
export class NodeCodec {
  readonly #handle: CodecHandle;
  readonly #state: Uint32Array;
  #failure: string | undefined;

  /** @param stream of node:zlib, made for this object alone */
  constructor(stream: object) {
    const { _handle, _writeState } = stream as CodecStream;
    if (typeof _handle?.writeSync !== "function" || !(_writeState instanceof Uint32Array)) {
      throw new Error("This runtime's node:zlib has no synchronous decoder");
    }
    this.#handle = _handle;
    this.#state = _writeState;
    _handle.onerror = (message) => this.#failure = message;
  }

  /**
   * Decodes input into output until one of them is used up or a member (gzip) or frame ends.
   *
   * @throws {ArchiveError} with the decoder's own words
   */
  decode(input: Uint8Array, offset: number, output: Uint8Array, flush = 0): Step {
    const length = input.length - offset;
    try {
      this.#handle.writeSync(flush, input, offset, length, output, 0, output.length);
    } catch (error) {
      throw new ArchiveError((error as Error).message, { cause: error });
    }
    if (this.#failure !== undefined) throw new ArchiveError(this.#failure);
    return { read: length - this.#state[1]!, written: output.length - this.#state[0]! };
  }

  /** Makes ready for another member. */
  reset(): void {
    this.#handle.reset();
  }

  close(): void {
    this.#handle.close();
  }
}
