import { createHash, type Hash } from "node:crypto";
import { type Decompressor, detectingDecompressor, type Output } from "./decompress.ts";
import { ArchiveError } from "./error.ts";
import type { LayerDecoder } from "./layer_decoder.ts";
import type { Compression } from "./sniff.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Decodes on this thread, by the runtime's own libraries, whatever the compression. */
export class DecoderHere implements LayerDecoder {
  readonly files = undefined;
  readonly #blob: RunningHash;
  readonly #tar: RunningHash;
  readonly #decompressor: Decompressor;
  #compression: Compression = "none";
  #malformed: ArchiveError | undefined;
  #dropped = false;

  /** @param algorithms of node:crypto */
  constructor([digest, diffId]: readonly [digest: string, diffId: string]) {
    this.#blob = new RunningHash(digest);
    this.#tar = new RunningHash(diffId);
    this.#decompressor = detectingDecompressor((found) => this.#compression = found);
  }

  get compression(): Compression {
    return this.#compression;
  }

  push(chunk: Bytes, output: Output): void {
    this.#blob.update(chunk);
    if (this.#dropped) return;
    try {
      this.#decompressor.push(chunk, this.#hashed(output));
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      if (!this.#dropped) this.#malformed = error;
      this.#dropped = true;
    }
  }

  drop(): void {
    this.#dropped = true;
  }

  finish(output: Output): void {
    if (this.#malformed !== undefined) throw this.#malformed;
    if (!this.#dropped) this.#decompressor.finish(this.#hashed(output));
  }

  digest(): string {
    return this.#blob.end();
  }

  diffId(): string {
    return this.#tar.end();
  }

  close(): void {
    this.#decompressor.close();
  }

  #hashed(output: Output): Output {
    return (bytes) => {
      // A chunk can hold gigabytes.
      if (this.#dropped) throw new ArchiveError("no more of the layer is wanted");
      this.#tar.update(bytes);
      output(bytes);
    };
  }
}

/** A hash over bytes that pass by. */
class RunningHash {
  readonly #algorithm: string;
  readonly #hash: Hash;

  constructor(algorithm: string) {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Bytes): void {
    this.#hash.update(bytes);
  }

  /** `algorithm:hex`; takes no more bytes. */
  end(): string {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}
