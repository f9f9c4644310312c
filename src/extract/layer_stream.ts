import { ArchiveError } from "../archive/error.ts";
import { type LayerDecoder, layerDecoder } from "../archive/layer_decoder.ts";
import type { Compression } from "../archive/sniff.ts";
import type { TarHandler, TarLimits } from "../archive/tar/entry.ts";
import { TarReader } from "../archive/tar/reader.ts";
import type { Layer } from "../image/types.ts";
import type { Codec } from "../os/codec.ts";
import type { FileQueue } from "../os/file.ts";
import { digestAlgorithm } from "../reference/digest.ts";
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
  /** Makes what takes the tar's entries; the queue writes files, where the decoder has one. */
  readonly handler: (queue: FileQueue | undefined) => TarHandler;
  readonly limits: TarLimits;
  /** Counts what is unpacked. */
  readonly meter: Meter | undefined;
  /** Decodes what it can; without one the runtime does. */
  readonly codec: Codec | undefined;
  /** Called once, when only little of the blob is still to come. */
  readonly onNearEnd?: (() => void) | undefined;
  /** Its abort ends the reading, with its reason, before another chunk is taken. */
  readonly signal: AbortSignal | undefined;
}

/** Bytes of a blob that take longer to handle than it takes a registry to answer. */
const NEAR_END = 2 * 1024 * 1024;

/**
 * The whole way of a layer's bytes, each handled once: blob, size and digest, decompression, diff
 * ID, tar, handler. The handler has seen every entry by the time a wrong digest is found, which is
 * why nothing it makes is final before this returns.
 *
 * @throws {ArchiveError} on any mismatch or malformed byte, `LimitError` as soon as there is too
 * much; whatever the blob or handler throws
 */
export async function readLayer(
  layer: Layer,
  blob: AsyncIterable<Uint8Array>,
  { handler, limits, meter, codec, onNearEnd, signal }: ReadOptions,
): Promise<LayerBytes> {
  const algorithms = [digestAlgorithm(layer.blob.digest), digestAlgorithm(layer.diffId)] as const;
  let tar: TarReader | undefined;
  let decoder: LayerDecoder | undefined;
  /** The first thing wrong with the archive: told when the whole blob has passed. */
  let malformed: ArchiveError | undefined;
  let compressed = 0;
  let unpacked = 0;
  let isNearEnd = false;
  const open = async (head: Uint8Array): Promise<LayerDecoder> => {
    const opened = await layerDecoder({ head, algorithms, codec });
    tar = new TarReader(handler(opened.files), limits);
    return opened;
  };
  const output = (bytes: Uint8Array<ArrayBuffer>) => {
    // The decoder lets other layers have their turns.
    signal?.throwIfAborted();
    if (malformed !== undefined) return;
    unpacked += bytes.length;
    meter?.addBytes(bytes.length);
    try {
      tar!.push(bytes);
    } catch (error) {
      malformed = requireArchiveError(error);
      decoder!.drop();
    }
  };
  try {
    for await (const chunk of blob) {
      decoder ??= await open(chunk);
      signal?.throwIfAborted();
      compressed += chunk.length;
      if (compressed > layer.blob.size) {
        throw new ArchiveError(`the blob is larger than the ${layer.blob.size} bytes it should be`);
      }
      if (!isNearEnd && layer.blob.size - compressed <= NEAR_END) {
        isNearEnd = true;
        onNearEnd?.();
      }
      await decoder.push(chunk as Uint8Array<ArrayBuffer>, output);
    }
    decoder ??= await open(new Uint8Array());
    signal?.throwIfAborted();
    if (compressed !== layer.blob.size) {
      throw new ArchiveError(`the blob has ${compressed} bytes instead of ${layer.blob.size}`);
    }
    try {
      await decoder.finish(output);
    } catch (error) {
      malformed ??= requireArchiveError(error);
    }
    // A blob that is not what its digest says is that before it is a malformed archive.
    requireMatch("digest", layer.blob.digest, decoder.digest());
    if (malformed !== undefined) throw malformed;
    tar!.finish();
    requireMatch("diff ID of the unpacked tar", layer.diffId, decoder.diffId());
  } finally {
    decoder?.close();
  }
  const { compression } = decoder;
  return {
    compressed,
    unpacked,
    compression,
    disagrees: compression !== namedCompression(layer.blob.mediaType),
  };
}

/** @throws any other error */
function requireArchiveError(error: unknown): ArchiveError {
  if (error instanceof ArchiveError) return error;
  throw error;
}

function requireMatch(what: string, expected: string, actual: string): void {
  if (actual !== expected) {
    throw new ArchiveError(`the ${what} is ${actual} instead of ${expected}`);
  }
}

/** The compression a layer's media type names (OCI and Docker schema 2). */
export function namedCompression(mediaType: string): Compression {
  if (/[.+]gzip$/.test(mediaType)) return "gzip";
  return /[.+]zstd$/.test(mediaType) ? "zstd" : "none";
}
