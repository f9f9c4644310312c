import { type Compression, detectingDecompressor } from "../archive/decompress.ts";
import { ArchiveError } from "../archive/error.ts";
import type { TarHandler, TarLimits } from "../archive/tar/entry.ts";
import { TarReader } from "../archive/tar/reader.ts";
import { Verifier } from "../archive/verify.ts";
import type { Layer } from "../image/types.ts";
import type { Meter } from "./limits.ts";

/** What reading one layer came to. */
export interface LayerBytes {
  /** Bytes of the blob as fetched. */
  readonly compressed: number;
  /** Bytes of the tar it decompressed to. */
  readonly unpacked: number;
  readonly compression: Compression;
  /** The media type says another compression than the bytes show. */
  readonly disagrees: boolean;
}

export interface ReadOptions {
  readonly handler: TarHandler;
  readonly limits: TarLimits;
  /** Counts what is unpacked. */
  readonly meter: Meter | undefined;
  /** Its abort ends the reading, with its reason, before another chunk is taken. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The whole way of a layer's bytes, each handled once: blob, size and digest, decompression, diff
 * ID, tar, handler. The handler has seen every entry by the time a wrong digest is found, which is
 * why nothing it makes is final before this returns.
 *
 * @throws {ArchiveError} on any mismatch or malformed byte; whatever the blob or handler throws
 */
export async function readLayer(
  layer: Layer,
  blob: AsyncIterable<Uint8Array>,
  { handler, limits, meter, signal }: ReadOptions,
): Promise<LayerBytes> {
  const digest = new Verifier(layer.blob.digest);
  const diffId = new Verifier(layer.diffId);
  const tar = new TarReader(handler, limits);
  let compression: Compression = "none";
  let compressed = 0;
  let unpacked = 0;
  const output = (bytes: Uint8Array<ArrayBuffer>) => {
    unpacked += bytes.length;
    meter?.addBytes(bytes.length);
    diffId.update(bytes);
    tar.push(bytes);
  };
  const decompressor = detectingDecompressor((found) => compression = found);
  try {
    for await (const chunk of blob) {
      signal?.throwIfAborted();
      compressed += chunk.length;
      if (compressed > layer.blob.size) {
        throw new ArchiveError(`the blob is larger than the ${layer.blob.size} bytes it should be`);
      }
      digest.update(chunk);
      decompressor.push(chunk as Uint8Array<ArrayBuffer>, output);
    }
    signal?.throwIfAborted();
    // A blob that is not what its digest says is that before it is a malformed archive.
    if (compressed !== layer.blob.size) {
      throw new ArchiveError(`the blob has ${compressed} bytes instead of ${layer.blob.size}`);
    }
    requireMatch("digest", digest);
    decompressor.finish(output);
    tar.finish();
  } finally {
    decompressor.close();
  }
  requireMatch("diff ID of the unpacked tar", diffId);
  return {
    compressed,
    unpacked,
    compression,
    disagrees: compression !== namedCompression(layer.blob.mediaType),
  };
}

function requireMatch(what: string, verifier: Verifier): void {
  const actual = verifier.actual();
  if (actual !== verifier.expected) {
    throw new ArchiveError(`the ${what} is ${actual} instead of ${verifier.expected}`);
  }
}

/** The compression a layer's media type names (OCI and Docker schema 2). */
export function namedCompression(mediaType: string): Compression {
  if (/[.+]gzip$/.test(mediaType)) return "gzip";
  return /[.+]zstd$/.test(mediaType) ? "zstd" : "none";
}
