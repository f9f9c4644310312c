import zlib from "node:zlib";
import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { concat } from "../../tests/archive_builder.ts";
import { detectingDecompressor } from "./decompress.ts";
import { ArchiveError } from "./error.ts";
import type { Compression } from "./sniff.ts";

const PLAIN = Uint8Array.from({ length: 700_000 }, (_, i) => (i * i) >> 7);
const gzip = (bytes: Uint8Array) => new Uint8Array(zlib.gzipSync(bytes));
const zstd = (bytes: Uint8Array) => new Uint8Array(zlib.zstdCompressSync(bytes));
const SKIPPABLE = Uint8Array.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

function decompress(bytes: Uint8Array<ArrayBuffer>, chunkSize: number) {
  let found: Compression | undefined;
  const parts: Uint8Array[] = [];
  const decompressor = detectingDecompressor((compression) => found = compression);
  try {
    for (let at = 0; at < bytes.length; at += chunkSize) {
      decompressor.push(bytes.subarray(at, at + chunkSize), (out) => parts.push(out.slice()));
    }
    decompressor.finish((out) => parts.push(out.slice()));
  } finally {
    decompressor.close();
  }
  return { found, bytes: concat(parts) };
}

const STREAMS: readonly (readonly [string, Compression, Uint8Array<ArrayBuffer>])[] = [
  ["gzip", "gzip", gzip(PLAIN)],
  [
    "gzip of many members, some empty",
    "gzip",
    concat([
      gzip(PLAIN.subarray(0, 1)),
      gzip(new Uint8Array()),
      gzip(PLAIN.subarray(1, 300_000)),
      gzip(PLAIN.subarray(300_000)),
    ]),
  ],
  ["zstd", "zstd", zstd(PLAIN)],
  [
    "zstd of many frames, some to be skipped",
    "zstd",
    concat([
      SKIPPABLE,
      zstd(PLAIN.subarray(0, 5)),
      SKIPPABLE,
      zstd(PLAIN.subarray(5)),
      SKIPPABLE,
    ]),
  ],
  ["nothing", "none", PLAIN],
];

for (const [name, compression, stream] of STREAMS) {
  Deno.test(`decompresses ${name}, in chunks of every size`, () => {
    for (const size of [997, 65_536, stream.length]) {
      const { found, bytes } = decompress(stream, size);
      assertEquals(found, compression);
      assertEquals(bytes.length, PLAIN.length);
      assertEquals(zlib.crc32(bytes), zlib.crc32(PLAIN));
    }
  });
  if (compression === "none") continue;
  const small = compression === "gzip"
    ? concat([gzip(PLAIN.subarray(0, 50)), gzip(PLAIN.subarray(50, 90))])
    : concat([zstd(PLAIN.subarray(0, 50)), zstd(PLAIN.subarray(50, 90))]);
  Deno.test(`refuses ${name} cut anywhere but between its parts`, () => {
    let whole = 0;
    for (let end = 4; end < small.length; end++) {
      try {
        decompress(small.subarray(0, end), 16);
        whole++;
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
      }
    }
    assertEquals(whole, 1, "the one cut that lies between the two parts");
  });
  Deno.test(`refuses bytes after ${name}`, () => {
    for (const garbage of [[0], [0, 0, 0, 0], [1, 2, 3], [0x1f], [0x28, 0xb5]]) {
      for (const size of [16, 4096]) {
        assertThrows(
          () => decompress(concat([small, Uint8Array.from(garbage)]), size),
          ArchiveError,
        );
      }
    }
  });
}

Deno.test("fewer bytes than any magic are not compressed", () => {
  assertEquals(decompress(Uint8Array.from([1, 2]), 1), {
    found: "none",
    bytes: Uint8Array.from([1, 2]),
  });
});
