import { assertEquals } from "@std/assert/equals.js";
import { createHash } from "node:crypto";
import zlib from "node:zlib";
import { concat } from "./archive_builder.ts";
import { codecTest, compileCodec } from "./codec.ts";
import { execute } from "./programs.ts";

const CASES = 1_000;

/** Bytes of every kind that deflate tells apart: repeats near and far, text, and noise. */
function sample(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const kind = (i >> 12) % 5;
    if (kind === 0) bytes[i] = state >> 16;
    else if (kind === 1) bytes[i] = 97 + ((state >> 16) % 7);
    else if (kind === 2) bytes[i] = i > 40_000 ? bytes[i - 32_768]! : 0;
    else if (kind === 3) bytes[i] = i > 300 ? bytes[i - 1 - (i >> 7) % 258]! : 5;
    else bytes[i] = 0;
  }
  return bytes;
}

const Z = zlib.constants;
const plain = sample(100_000);
const small = sample(3_000);
const gzip = (bytes: Uint8Array, options: zlib.ZlibOptions = {}) =>
  new Uint8Array(zlib.gzipSync(bytes, options));
const STORED = { level: 0 };
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
/** A header with every optional field (RFC 1952, 2.3), in place of zlib's. */
const withFields = (stream: Uint8Array) => {
  const head = Uint8Array.from([
    ...[0x1f, 0x8b, 8, 0x1e, 1, 2, 3, 4, 0, 3],
    ...[3, 0, 65, 66, 67],
    ...new TextEncoder().encode("name\0comment\0"),
  ]);
  const check = zlib.crc32(head) & 0xffff;
  return concat([head, Uint8Array.from([check & 255, check >> 8]), stream.subarray(10)]);
};
const STREAMS: Readonly<Record<string, Uint8Array>> = {
  "usual": gzip(plain),
  "fastest": gzip(plain, { level: 1 }),
  "best": gzip(plain, { level: 9, memLevel: 9 }),
  "stored": gzip(plain, { level: 0 }),
  "fixed codes": gzip(plain, { strategy: Z.Z_FIXED }),
  "literals alone": gzip(plain, { strategy: Z.Z_HUFFMAN_ONLY }),
  "runs alone": gzip(plain, { strategy: Z.Z_RLE }),
  "small": gzip(small),
  "small, stored": gzip(small, { level: 0 }),
  "small, fixed codes": gzip(small, { strategy: Z.Z_FIXED }),
  "one byte": gzip(Uint8Array.of(7)),
  "nothing": gzip(new Uint8Array()),
  "all fields": withFields(gzip(small)),
  "members": concat([gzip(small), gzip(new Uint8Array()), withFields(gzip(plain)), gzip(small)]),
};

codecTest("the codec decodes every kind of stream, and no changed one harms it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codec-" });
  try {
    await compileCodec(`${folder}/test`, [
      "-g",
      "-O1",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
      new URL("./codec_test.c", import.meta.url).pathname,
      new URL("../helper/system.c", import.meta.url).pathname,
    ]);
    const files: string[] = [];
    for (const [name, stream] of Object.entries(STREAMS)) {
      files.push(`${folder}/${name}`);
      await Deno.writeFile(files.at(-1)!, stream);
    }
    const { code, stdout, stderr } = await execute(
      `${folder}/test`,
      ["12345", String(CASES), ...files],
      { timeoutMs: 120_000 },
    );
    assertEquals(code, 0, stderr);
    const digests = Object.values(STREAMS).map((stream) => sha256(zlib.gunzipSync(stream)));
    assertEquals(stdout.trim().split("\n"), digests);
    console.log(`${files.length} streams, ${files.length * CASES} changed ones`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

codecTest("the decoder and its thread share nothing without saying so", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codec-" });
  try {
    await compileCodec(`${folder}/test`, [
      "-g",
      "-O1",
      "-fsanitize=thread",
      "-pthread",
      new URL("./decoder_test.c", import.meta.url).pathname,
      new URL("../helper/system.c", import.meta.url).pathname,
    ]);
    const large = gzip(sample(6_000_000));
    // Two at a time.
    const streams = [
      STREAMS["members"]!,
      STREAMS["nothing"]!,
      large,
      gzip(sample(5_000_000)),
      gzip(sample(2_500_000), STORED),
    ];
    const files = streams.map((_, i) => `${folder}/stream-${i}`);
    for (const [i, stream] of streams.entries()) await Deno.writeFile(files[i]!, stream);
    const { code, stdout, stderr } = await execute(`${folder}/test`, [folder, ...files], {
      env: { TSAN_OPTIONS: "halt_on_error=1" },
      timeoutMs: 120_000,
    });
    assertEquals(code, 0, stderr);
    const plains = streams.map((stream) => zlib.gunzipSync(stream));
    const digests = streams.flatMap((stream, i) => [sha256(stream), sha256(plains[i]!)]);
    assertEquals(stdout.trim().split("\n"), digests);
    for (const [i, plain] of plains.entries()) {
      const written = await Deno.readFile(`${folder}/out-${i + 2}`);
      assertEquals(sha256(written), sha256(plain));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
