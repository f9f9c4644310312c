import type { Codec } from "../os/codec.ts";
import type { FileQueue } from "../os/file.ts";
import type { NativeDecoder } from "../os/native_decoder.ts";
import type { Output } from "./decompress.ts";
import { ArchiveError } from "./error.ts";
import type { LayerDecoder } from "./layer_decoder.ts";
import type { Compression } from "./sniff.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** `enum decoded` of helper/codec/inflate.h, from its first error on, in zlib's words. */
const FIRST_MALFORMED = 3;
const MALFORMED: readonly string[] = [
  "there are bytes after the end of the gzip stream",
  "incorrect header check",
  "unknown compression method",
  "unknown header flags set",
  "header crc mismatch",
  "invalid block type",
  "invalid stored block lengths",
  "too many length or distance symbols",
  "invalid code lengths set",
  "invalid bit length repeat",
  "invalid code -- missing end-of-block",
  "invalid literal/lengths set",
  "invalid distances set",
  "invalid literal/length code",
  "invalid distance code",
  "invalid distance too far back",
  "incorrect data check",
  "incorrect length check",
];

/**
 * Decodes gzip by the executable's own codec, with SHA-256: on a thread that is some megabytes
 * ahead, so that this one is left with the tar.
 */
export class DecoderAhead implements LayerDecoder {
  readonly compression: Compression = "gzip";
  readonly #native: NativeDecoder;
  readonly #codec: Codec;
  #dropped = false;

  constructor(codec: Codec) {
    this.#codec = codec;
    this.#native = codec.decoder();
  }

  get files(): FileQueue {
    return this.#native.files;
  }

  async push(chunk: Bytes, output: Output): Promise<void> {
    let at = this.#native.give(chunk);
    this.#handOn(output);
    while (at < chunk.length) {
      await this.#codec.wait(this.#native);
      this.#handOn(output);
      at += this.#native.give(chunk.subarray(at));
    }
    this.#native.files.requireSuccess();
  }

  drop(): void {
    this.#dropped = true;
    this.#native.drop();
  }

  async finish(output: Output): Promise<void> {
    this.#native.end();
    try {
      while (!this.#handOn(output)) await this.#codec.wait(this.#native);
    } catch (error) {
      while (!this.#handOn(() => {})) await this.#codec.wait(this.#native);
      throw error;
    }
    this.#native.files.requireSuccess();
    if (this.#dropped) return;
    const { malformed } = this.#native;
    if (malformed !== 0) throw new ArchiveError(MALFORMED[malformed - FIRST_MALFORMED]!);
    if (this.#native.incomplete) throw new ArchiveError("unexpected end of file");
  }

  digest(): string {
    return `sha256:${this.#native.digest}`;
  }

  diffId(): string {
    return `sha256:${this.#native.diffId}`;
  }

  close(): void {
    this.#native.close();
  }

  /** @returns whether it was the last */
  #handOn(output: Output): boolean {
    for (;;) {
      const bytes = this.#native.take();
      if (bytes === "ended") return true;
      if (bytes === undefined) break;
      try {
        output(bytes);
      } finally {
        this.#native.release();
      }
    }
    return false;
  }
}
