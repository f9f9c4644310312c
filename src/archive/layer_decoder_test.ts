import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { createHash } from "node:crypto";
import zlib from "node:zlib";
import { concat } from "../../tests/archive_builder.ts";
import { codecForTests, codecTest } from "../../tests/codec.ts";
import { Random } from "../../tests/extract/random.ts";
import { Codec } from "../os/codec.ts";
import { Directory } from "../os/directory.ts";
import { FileWriter } from "../os/file.ts";
import { SystemError } from "../os/libc.ts";
import { ArchiveError } from "./error.ts";
import { layerDecoder } from "./layer_decoder.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const FUZZ_CASES = 2_000;

/** Far more than all rings together hold. */
const PLAIN = Uint8Array.from({ length: 9_000_000 }, (_, i) => (i * i) >> (7 + (i >> 20)));
const gzip = (bytes: Uint8Array, level = 1) => new Uint8Array(zlib.gzipSync(bytes, { level }));
const STREAM = gzip(PLAIN);
const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

interface Decoded {
  readonly tar: Bytes;
  readonly digest: string;
  readonly diffId: string;
  readonly error: Error | undefined;
}

interface Options {
  readonly chunkSize?: number;
  readonly codec?: Codec | undefined;
  readonly output?: (bytes: Bytes) => void;
}

async function decode(stream: Bytes, options: Options = {}): Promise<Decoded> {
  const { chunkSize = 256 * 1024, codec, output } = options;
  const head = stream.subarray(0, chunkSize);
  const decoder = await layerDecoder({ head, algorithms: ["sha256", "sha256"], codec });
  const parts: Bytes[] = [];
  const take = (bytes: Bytes) => {
    parts.push(bytes.slice());
    output?.(bytes);
  };
  let error: Error | undefined;
  try {
    for (let at = 0; at < stream.length; at += chunkSize) {
      await decoder.push(stream.subarray(at, at + chunkSize), take);
      // Where a blob is awaited, the thread gets its turn.
      if (at % 16 === 0) await Promise.resolve();
    }
    try {
      await decoder.finish(take);
    } catch (thrown) {
      error = thrown as Error;
    }
    return { tar: concat(parts), digest: decoder.digest(), diffId: decoder.diffId(), error };
  } finally {
    decoder.close();
  }
}

/** The codec on a thread beside this isolate, and in this isolate's calls. */
for (const threads of [true, false]) {
  const how = threads ? "on a thread" : "without a thread";
  const codec = async () => new Codec(await codecForTests(), threads);

  codecTest(`the codec ${how} decodes and hashes in chunks of every size`, async () => {
    for (const chunkSize of [50_000, 1_000_000, 10_000_000]) {
      const { tar, digest, diffId, error } = await decode(STREAM, {
        chunkSize,
        codec: await codec(),
      });
      assertEquals(error, undefined);
      assertEquals(tar.length, PLAIN.length);
      assertEquals(diffId, sha256(PLAIN));
      assertEquals(digest, sha256(STREAM));
    }
  });

  codecTest(
    `the codec ${how} decodes several layers at once`,
    async () => {
      const shared = await codec();
      const order: number[] = [];
      const layer = async (i: number, stream: Bytes) => {
        using _ = shared.layer();
        return await decode(stream, { codec: shared, output: () => order.push(i) });
      };
      const damaged = STREAM.with(STREAM.length - 5, STREAM.at(-5)! ^ 1);
      const [first, second, third] = await Promise.all([
        layer(0, STREAM),
        layer(1, damaged),
        layer(2, gzip(PLAIN.subarray(0, 10))),
      ]);
      assertEquals([first.error, third.error], [undefined, undefined]);
      assertEquals([first.digest, first.diffId], [sha256(STREAM), sha256(PLAIN)]);
      assertEquals(second.digest, sha256(damaged));
      assert(/incorrect data check/.test(String(second.error)), String(second.error));
      assertEquals(third.diffId, sha256(PLAIN.subarray(0, 10)));
      const turns = order.filter((i, at) => i !== order[at - 1]).length;
      // Without threads, one after the other is as good.
      assert(turns > (threads ? 6 : 2), `${turns} turns in ${order.length} outputs`);
      // One alone has the isolate to itself again.
      assertEquals((await layer(0, STREAM)).diffId, sha256(PLAIN));
    },
  );

  codecTest(`the codec ${how} says what is wrong, after the digest is known`, async () => {
    const cases: readonly (readonly [Bytes, RegExp])[] = [
      [STREAM.subarray(0, -1), /unexpected end of file/],
      [STREAM.subarray(0, 1000), /unexpected end of file/],
      [concat([gzip(PLAIN.subarray(0, 9)), Uint8Array.of(0)]), /unexpected end|after the end/],
      [concat([gzip(PLAIN.subarray(0, 9)), Uint8Array.of(0, 0)]), /after the end of the gzip/],
      [STREAM.with(100_000, STREAM[100_000]! ^ 1), /invalid|incorrect/],
      [STREAM.with(STREAM.length - 5, STREAM.at(-5)! ^ 1), /incorrect data check/],
      [STREAM.with(STREAM.length - 1, STREAM.at(-1)! ^ 1), /incorrect length check/],
    ];
    for (const [stream, says] of cases) {
      for (const chunkSize of [50_000, 1e9]) {
        const { digest, error } = await decode(stream, { codec: await codec(), chunkSize });
        assert(error instanceof ArchiveError && says.test(error.message), String(error));
        assertEquals(digest, sha256(stream));
      }
    }
  });

  codecTest(
    `the codec ${how}, like the runtime, hashes what is dropped without decoding it`,
    async () => {
      const stream = gzip(new Uint8Array(200_000_000));
      for (
        const [chunkSize, decodes] of [
          [10_000, await codec()],
          [10_000, undefined],
          [1e9, await codec()],
          [1e9, undefined],
        ] as const
      ) {
        const decoder = await layerDecoder({
          head: stream,
          algorithms: ["sha256", "sha256"],
          codec: decodes,
        });
        let decoded = 0;
        const output = (bytes: Bytes) => {
          decoded += bytes.length;
          decoder.drop();
        };
        for (let at = 0; at < stream.length; at += chunkSize) {
          await decoder.push(stream.subarray(at, at + chunkSize), output);
        }
        await decoder.finish(output);
        assertEquals(decoder.digest(), sha256(stream));
        decoder.close();
        assert(decoded > 0 && decoded < 50_000_000, `${decoded}`);
      }
    },
  );

  codecTest(`the codec ${how} ends with what its output throws`, async () => {
    const thrown = new Error("the output's");
    let calls = 0;
    const stream = gzip(PLAIN.subarray(0, 600_000));
    const { digest, error } = await decode(stream, {
      codec: await codec(),
      output() {
        if (++calls === 2) throw thrown;
      },
    }).catch((error: Error) => ({ digest: sha256(stream), error }));
    assertEquals(error, thrown);
    assertEquals(digest, sha256(stream));
  });

  codecTest(`the codec ${how} and the runtime take and refuse the same streams`, async () => {
    const random = new Random(5);
    const small = PLAIN.subarray(0, 5000);
    const streams = [
      gzip(small),
      gzip(small, 9),
      concat([gzip(small.subarray(0, 50)), gzip(small)]),
    ];
    let refused = 0;
    const either = (stream: Bytes, codec?: Codec) =>
      decode(stream, { codec, chunkSize: 700 }).then(
        ({ error, diffId }) => error instanceof ArchiveError ? "refused" : diffId,
        (error) => error instanceof ArchiveError ? "refused" : Promise.reject(error),
      );
    for (let i = 0; i < FUZZ_CASES / 2; i++) {
      const stream = Uint8Array.from(random.pick(streams));
      for (let n = 1 + random.int(2); n > 0; n--) {
        const at = random.chance(0.5) ? 2 + random.int(60) : 2 + random.int(stream.length - 2);
        stream[at] = random.int(256);
      }
      const found = await either(stream, await codec());
      assertEquals(found, await either(stream), `case ${i}`);
      if (found === "refused") refused++;
    }
    assert(refused > FUZZ_CASES / 8, `${refused} refused`);
    console.log(`${FUZZ_CASES / 2} gzip cases ${how}, ${refused} refused by both decoders`);
  });

  codecTest(`the codec ${how} writes files, more than one output may have`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "codec-" });
    try {
      using directory = Directory.at(folder);
      const decoder = await layerDecoder({
        head: STREAM,
        algorithms: ["sha256", "sha256"],
        codec: await codec(),
      });
      let count = 0;
      const lengths: number[] = [];
      const output = (bytes: Bytes) => {
        for (let at = 0; at < bytes.length; at += 1500, count++) {
          const writer = directory.create(`f${count}`, decoder.files);
          const content = bytes.subarray(at, at + 1500);
          lengths.push(content.length);
          writer.write(content.subarray(0, 700), 0);
          // Bytes from elsewhere are written at once.
          writer.write(content.slice(700), 700);
          writer.finish({
            size: count % 7 === 0 ? 2000 : undefined,
            mode: 0o640,
            mtime: { seconds: 1_000_000_000 + count, nanoseconds: 5 },
            owner: undefined,
          });
        }
      };
      await decoder.push(STREAM, output);
      await decoder.finish(output);
      decoder.close();
      let written = 0;
      for (let i = 0; i < count; i++) {
        const { mode, mtime, size } = await Deno.stat(`${folder}/f${i}`);
        assertEquals(mode! & 0o7777, 0o640);
        assertEquals(mtime!.getTime(), (1_000_000_000 + i) * 1000);
        const bytes = await Deno.readFile(`${folder}/f${i}`);
        assertEquals(size, i % 7 === 0 ? 2000 : lengths[i]);
        const length = lengths[i]!;
        assertEquals(bytes.subarray(0, length), PLAIN.subarray(written, written + length), `f${i}`);
        written += length;
      }
      assert(count > 4000, `${count} files`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  codecTest(`the codec ${how} tells which file could not be written`, async () => {
    const decoder = await layerDecoder({
      head: STREAM,
      algorithms: ["sha256", "sha256"],
      codec: await codec(),
    });
    const { open } = Deno.dlopen("libc.so.6", {
      open: { parameters: ["buffer", "i32"], result: "i32" },
    }).symbols;
    const path = new TextEncoder().encode("/dev/full\0");
    const metadata = { mode: 0o666, mtime: { seconds: 0, nanoseconds: 0 }, owner: undefined };
    let error: SystemError | undefined;
    let files = 0;
    const output = (bytes: Bytes) => {
      const writer = new FileWriter(open(path, 1), `file-${files++}`, decoder.files);
      writer.write(bytes, 0);
      writer.finish({ size: undefined, ...metadata });
    };
    try {
      await decoder.push(STREAM, output);
      await decoder.finish(output);
    } catch (thrown) {
      error = thrown as SystemError;
    } finally {
      decoder.close();
    }
    assert(error instanceof SystemError, String(error));
    assertEquals(error?.message, 'write "file-0": no space left on device');
  });
}
