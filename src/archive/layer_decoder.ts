import type { Codec } from "../os/codec.ts";
import type { FileQueue } from "../os/file.ts";
import type { Output } from "./decompress.ts";
import { type Compression, sniff } from "./sniff.ts";

/** The way of a layer's bytes from its blob to its tar, with the digests of both; must be closed. */
export interface LayerDecoder {
  /** What the bytes have shown. */
  readonly compression: Compression;
  /** Writes what was handed on to files, later; it is done when `finish` is. */
  readonly files: FileQueue | undefined;
  /**
   * Takes the blob's next bytes and hands on what of the tar is ready; they are good until it is
   * done. What is not of its compression has no tar, but still a digest.
   *
   * @throws {SystemError} when a file could not be written; what `output` throws
   */
  push(chunk: Uint8Array<ArrayBuffer>, output: Output): void | Promise<void>;
  /**
   * No more of the tar is wanted: what is pushed from now on counts for the digest only, and what is
   * handed on all the same is to be ignored.
   */
  drop(): void;
  /**
   * Says that the blob has no more bytes and hands on the rest of the tar. The digest is known
   * afterwards, whatever it throws.
   *
   * @throws {ArchiveError} when the blob is not of its compression; {@linkcode SystemError} when a
   * file could not be written; what `output` throws
   */
  finish(output: Output): void | Promise<void>;
  /** The blob's, `algorithm:hex`. */
  digest(): string;
  /** The tar's, `algorithm:hex`. */
  diffId(): string;
  close(): void;
}

export interface DecoderOptions {
  /** The first of the blob's bytes. */
  readonly head: Uint8Array;
  /** Algorithms of the blob's digest and the tar's: sha256, sha512. */
  readonly algorithms: readonly [digest: string, diffId: string];
  /** Decodes what it can; without one the runtime does. */
  readonly codec: Codec | undefined;
}

/** Opens what decodes a layer best here; what is not needed for it is not loaded. */
export async function layerDecoder(options: DecoderOptions): Promise<LayerDecoder> {
  const { head, algorithms, codec } = options;
  const isNative = sniff(head) === "gzip" && algorithms.every((name) => name === "sha256");
  if (isNative && codec !== undefined) {
    const { DecoderAhead } = await import("./decoder_ahead.ts");
    return new DecoderAhead(codec);
  }
  // node:zlib and node:crypto take longer to load than a small layer to decode.
  const { DecoderHere } = await import("./decoder_here.ts");
  return new DecoderHere(algorithms);
}
