import { createReadStream } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";

/** Bytes that can be read from any place on, as often as wanted. */
export interface ByteSource {
  /** Chunks from `offset` to the end; leaving the loop closes what was opened. */
  read(offset: number): AsyncIterable<Uint8Array>;
}

const CHUNK = 256 * 1024;

/** A file as it is. */
export function fileSource(path: string): ByteSource {
  return {
    async *read(offset) {
      using file = await Deno.open(path);
      if (offset > 0) await file.seek(offset, Deno.SeekMode.Start);
      for (;;) {
        const chunk = new Uint8Array(CHUNK);
        const length = await file.read(chunk);
        if (length === null) return;
        yield chunk.subarray(0, length);
      }
    },
  };
}

/**
 * A compressed file's content. There are no offsets in it to seek to, so reading begins at the
 * file's start each time; nothing is unpacked to disk.
 */
export function compressedSource(path: string, compression: "gzip" | "zstd"): ByteSource {
  return {
    async *read(offset) {
      const decoder = compression === "gzip"
        ? createGunzip({ chunkSize: CHUNK })
        : createZstdDecompress({ chunkSize: CHUNK });
      const file = createReadStream(path, { highWaterMark: CHUNK });
      file.on("error", (error) => decoder.destroy(error));
      try {
        let skip = offset;
        for await (const piece of file.pipe(decoder)) {
          const chunk: Uint8Array = piece;
          if (skip < chunk.length) yield chunk.subarray(skip);
          skip = Math.max(0, skip - chunk.length);
        }
      } finally {
        file.destroy();
        decoder.destroy();
      }
    },
  };
}

/** What a file's first bytes say it is compressed with. */
export async function compressionOf(path: string): Promise<"gzip" | "zstd" | undefined> {
  using file = await Deno.open(path);
  const head = new Uint8Array(4);
  await file.read(head);
  return magicOf(head);
}

/** Compression by magic number (RFC 1952, RFC 8878). */
export function magicOf(head: Uint8Array): "gzip" | "zstd" | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return "zstd";
  return undefined;
}

/** A source read by a cursor that mostly goes forward, so that scanning opens it but once. */
export class ForwardReader implements AsyncDisposable {
  readonly #source: ByteSource;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #chunk: Uint8Array = new Uint8Array();
  /** Where `#chunk` begins. */
  #at = 0;
  readonly #seekable: boolean;

  constructor(source: ByteSource, seekable: boolean) {
    this.#source = source;
    this.#seekable = seekable;
  }

  /** `length` bytes at `offset`, fewer at the end. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#moveTo(offset);
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const from = offset + filled - this.#at;
      if (from >= this.#chunk.length) {
        if (!await this.#advance()) break;
        continue;
      }
      const part = this.#chunk.subarray(from, from + length - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes.subarray(0, filled);
  }

  async #moveTo(offset: number): Promise<void> {
    const far = offset > this.#at + this.#chunk.length + CHUNK;
    if (this.#chunks === undefined || offset < this.#at || (far && this.#seekable)) {
      await this[Symbol.asyncDispose]();
      const start = this.#seekable ? offset : 0;
      this.#chunks = this.#source.read(start)[Symbol.asyncIterator]();
      this.#chunk = new Uint8Array();
      this.#at = start;
    }
    while (this.#at + this.#chunk.length <= offset && await this.#advance());
  }

  async #advance(): Promise<boolean> {
    const next = await this.#chunks?.next();
    if (next === undefined || next.done) return false;
    this.#at += this.#chunk.length;
    this.#chunk = next.value;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks?.return?.();
    this.#chunks = undefined;
  }
}
