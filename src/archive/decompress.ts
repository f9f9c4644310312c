import zlib from "node:zlib";
import { ArchiveError } from "./error.ts";
import { NodeCodec } from "./node_codec.ts";
import { type Compression, sniff } from "./sniff.ts";

/** Takes what was decoded; the bytes are only valid during the call. */
export type Output = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Turns compressed chunks into decoded ones, synchronously, in bounded memory. */
export interface Decompressor {
  /** @throws {ArchiveError} when the bytes are not of this compression */
  push(chunk: Uint8Array<ArrayBuffer>, output: Output): void;
  /** Says that there are no more bytes. @throws {ArchiveError} when there should be */
  finish(output: Output): void;
  close(): void;
}

/** Large enough that a call costs nothing a byte, small enough to stay in the cache. */
const OUTPUT_SIZE = 256 * 1024;

/** A decompressor for a known compression. */
function createDecompressor(compression: Compression): Decompressor {
  switch (compression) {
    case "gzip":
      return new Gunzip();
    case "zstd":
      return new Unzstd();
    case "none":
      return { push: (chunk, output) => output(chunk), finish: () => {}, close: () => {} };
  }
}

/**
 * A decompressor that goes by the first bytes, whatever the media type says.
 *
 * @param onDetect told once what the bytes are, so that a disagreement can be reported
 */
export function detectingDecompressor(onDetect: (found: Compression) => void): Decompressor {
  let inner: Decompressor | undefined;
  let head = new Uint8Array(0);

  const start = (): Decompressor => {
    const found = sniff(head);
    onDetect(found);
    return inner = createDecompressor(found);
  };
  return {
    push(chunk, output) {
      if (inner !== undefined) return inner.push(chunk, output);
      if (head.length > 0 || chunk.length < 4) {
        const joined = new Uint8Array(head.length + chunk.length);
        joined.set(head);
        joined.set(chunk, head.length);
        head = joined;
      } else {
        head = chunk;
      }
      if (head.length >= 4) start().push(head, output);
    },
    finish(output) {
      if (inner === undefined && head.length > 0) start().push(head, output);
      inner?.finish(output);
    },
    close: () => inner?.close(),
  };
}

class Gunzip implements Decompressor {
  static readonly #FINISH = zlib.constants.Z_FINISH;
  readonly #codec = new NodeCodec(
    // Members are told apart here, so that bytes after one are either another or an error.
    zlib.createGunzip({ rejectGarbageAfterEnd: true } as zlib.ZlibOptions),
  );
  readonly #out = new Uint8Array(OUTPUT_SIZE);
  #members = 0;
  #started = false;

  push(chunk: Uint8Array<ArrayBuffer>, output: Output): void {
    let at = 0;
    let ended = false;
    while (at < chunk.length || ended) {
      let step;
      try {
        step = this.#codec.decode(chunk, at, this.#out);
      } catch (error) {
        if (this.#members > 0 && !this.#started) {
          throw new ArchiveError("there are bytes after the end of the gzip stream", {
            cause: error,
          });
        }
        throw error;
      }
      at += step.read;
      if (step.read > 0) this.#started = true;
      if (step.written > 0) output(this.#out.subarray(0, step.written));
      ended = step.written === this.#out.length;
      if (ended || at === chunk.length) continue;
      // Neither side is used up: a member has ended.
      this.#codec.reset();
      this.#members++;
      if (!this.#started) throw new ArchiveError("the gzip stream does not advance");
      this.#started = false;
    }
  }

  finish(output: Output): void {
    const { written } = this.#codec.decode(new Uint8Array(0), 0, this.#out, Gunzip.#FINISH);
    if (written > 0) output(this.#out.subarray(0, written));
  }

  close(): void {
    this.#codec.close();
  }
}

class Unzstd implements Decompressor {
  readonly #codec = new NodeCodec(zlib.createZstdDecompress());
  readonly #out = new Uint8Array(OUTPUT_SIZE);
  #any = false;

  push(chunk: Uint8Array<ArrayBuffer>, output: Output): void {
    this.#decode(chunk, output);
    this.#any ||= chunk.length > 0;
  }

  #decode(chunk: Uint8Array<ArrayBuffer>, output: Output): void {
    let at = 0;
    let more = true;
    while (more) {
      const step = this.#codec.decode(chunk, at, this.#out);
      at += step.read;
      if (step.written > 0) output(this.#out.subarray(0, step.written));
      more = step.written === this.#out.length || at < chunk.length;
      if (more && step.read === 0 && step.written === 0) {
        throw new ArchiveError("the zstd stream does not advance");
      }
    }
  }

  /**
   * The decoder cannot say whether it stands between frames, so one frame of a single byte is
   * appended: only between frames does it come out as just that byte.
   */
  finish(): void {
    const probe = zlib.zstdCompressSync(Uint8Array.of(0x78));
    let decoded = "";
    try {
      this.#decode(new Uint8Array(probe), (bytes) => decoded += String.fromCharCode(...bytes));
    } catch {
      decoded = "";
    }
    if (!this.#any || decoded !== "x") throw new ArchiveError("unexpected end of the zstd stream");
  }

  close(): void {
    this.#codec.close();
  }
}
