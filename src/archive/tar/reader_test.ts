import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { archive, ArchiveBuilder, number } from "../../../tests/archive_builder.ts";
import { ArchiveError } from "../error.ts";
import type { TarEntry } from "./entry.ts";
import { TarReader } from "./reader.ts";

const LIMITS = { maxPathLength: 4096, maxPaxSize: 1 << 20 };

interface Read extends TarEntry {
  /** Offset and text of each piece of content, joined where they follow each other. */
  readonly pieces: readonly (readonly [offset: number, text: string])[];
}

/** Reads an archive in chunks of a size. */
function read(bytes: Uint8Array<ArrayBuffer>, chunkSize = bytes.length): Read[] {
  const entries: (TarEntry & { pieces: [number, string][] })[] = [];
  const reader = new TarReader({
    entry(entry) {
      entries.push({ ...entry, pieces: [] });
      return true;
    },
    content(chunk, offset) {
      const { pieces } = entries.at(-1)!;
      const text = new TextDecoder("latin1").decode(chunk);
      const last = pieces.at(-1);
      if (last !== undefined && last[0] + last[1].length === offset) last[1] += text;
      else pieces.push([offset, text]);
    },
    end() {},
  }, LIMITS);
  for (let at = 0; at < bytes.length; at += chunkSize) {
    reader.push(bytes.subarray(at, at + chunkSize));
  }
  reader.finish();
  return entries;
}

const EVERYTHING = archive()
  .dir("d").file("d/f", "content").symlink("d/s", "f").link("d/l", "d/f")
  .file("p", "x", { prefix: "some/prefix" })
  .pax({ path: "päx", linkpath: "t".repeat(300), mtime: "12.5", uid: "7", gid: "8" })
  .symlink("short", "short")
  .gnuLongName("n".repeat(150)).file("short", "y", { format: "gnu" })
  .file("last", "z".repeat(513));

Deno.test("chunks of every size make the same entries", () => {
  const bytes = EVERYTHING.build();
  const whole = read(bytes);
  assertEquals(whole.length, 8);
  for (const size of [1, 7, 511, 512, 513, 1024, 1500]) assertEquals(read(bytes, size), whole);
});

Deno.test("fields come from the header, its prefix, PAX records and GNU long names", () => {
  const [, file, , link, prefixed, pax, long] = read(EVERYTHING.build());
  assertEquals([file!.path, file!.size, file!.pieces], ["d/f", 7, [[0, "content"]]]);
  assertEquals([link!.type, link!.linkPath], ["link", "d/f"]);
  assertEquals(prefixed!.path, "some/prefix/p");
  assertEquals(pax!.path, "p\u00c3\u00a4x", "a byte string, not text");
  assertEquals(pax!.linkPath.length, 300);
  assertEquals([pax!.mtime, pax!.uid, pax!.gid], [{ seconds: 12, nanoseconds: 500_000_000 }, 7, 8]);
  assertEquals(long!.path, "n".repeat(150));
});

Deno.test("base-256 numbers, negative times, old directories by their slash", () => {
  const entries = read(
    archive()
      .file("big", "", { uid: 3_000_000, patch: (b) => number(b, 136, 12, -1) })
      .entry({ path: "old/", flag: "\0", format: "v7" })
      .entry({ path: "plain", flag: "\0", format: "v7" }).build(),
  );
  assertEquals(entries[0]!.uid, 3_000_000);
  assertEquals(entries[0]!.mtime.seconds, -1);
  assertEquals(entries.slice(1).map(({ type }) => type), ["directory", "file"]);
});

Deno.test("a star archive's prefix is shorter than ustar's", () => {
  const patch = (block: Uint8Array) => block.set(new TextEncoder().encode("123456789"), 345 + 131);
  const entry = archive().file("f", "", { prefix: "p", format: "star", patch });
  assertEquals(read(entry.build())[0]!.path, "p/f");
});

const SPARSE: readonly (readonly [string, ArchiveBuilder])[] = [
  [
    "PAX 0.0",
    archive().pax([
      ["GNU.sparse.size", "10"],
      ["GNU.sparse.numblocks", "2"],
      ["GNU.sparse.offset", "1"],
      ["GNU.sparse.numbytes", "2"],
      ["GNU.sparse.offset", "6"],
      ["GNU.sparse.numbytes", "3"],
    ]).file("sparse", "abcde"),
  ],
  [
    "PAX 0.1",
    archive().pax({
      "GNU.sparse.major": "0",
      "GNU.sparse.minor": "1",
      "GNU.sparse.name": "sparse",
      "GNU.sparse.size": "10",
      "GNU.sparse.numblocks": "2",
      "GNU.sparse.map": "1,2,6,3",
    }).file("GNUSparseFile.0/sparse", "abcde"),
  ],
  [
    "PAX 1.0",
    archive().pax({
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "sparse",
      "GNU.sparse.realsize": "10",
    }).file("GNUSparseFile.0/sparse", "2\n1\n2\n6\n3\n".padEnd(512, "\0") + "abcde"),
  ],
  [
    "old GNU",
    archive().entry({
      path: "sparse",
      flag: "S",
      format: "gnu",
      content: "abcde",
      patch(block) {
        for (const [i, value] of [1, 2, 6, 3].entries()) number(block, 386 + 12 * i, 12, value);
        number(block, 483, 12, 10);
      },
    }),
  ],
];

for (const [format, builder] of SPARSE) {
  Deno.test(`sparse, ${format}`, () => {
    for (const size of [1, 512, 4096]) {
      const [entry] = read(builder.build(), size);
      assertEquals([entry!.path, entry!.size, entry!.sparse], ["sparse", 10, true]);
      assertEquals(entry!.pieces, [[1, "ab"], [6, "cde"]]);
    }
  });
}

Deno.test("old GNU sparse headers go on in further blocks", () => {
  const extension = new Uint8Array(512);
  for (let i = 0; i < 2; i++) {
    number(extension, 24 * i, 12, 20 + 4 * i);
    number(extension, 24 * i + 12, 12, 1);
  }
  const header = archive().entry({
    path: "sparse",
    flag: "S",
    format: "gnu",
    size: 6,
    patch(block) {
      for (let i = 0; i < 4; i++) {
        number(block, 386 + 24 * i, 12, 4 * i);
        number(block, 398 + 24 * i, 12, 1);
      }
      block[482] = 1;
      number(block, 483, 12, 100);
    },
  });
  const bytes = header.raw(extension).raw("abcdef".padEnd(512, "\0")).build();
  const [entry] = read(bytes, 100);
  assertEquals(entry!.pieces.map(([offset]) => offset), [0, 4, 8, 12, 20, 24]);
});

const MALFORMED: readonly (readonly [string, Uint8Array<ArrayBuffer>, RegExp])[] = [
  [
    "a number that is not octal",
    archive().file("a", "", {
      patch: (b) => b.set([0x39, 0x39], 100),
    }).build(),
    /octal/,
  ],
  ["a checksum", archive().file("a", "", { checksum: false }).build(), /checksum/],
  ["an end within a header", archive().file("a").build().subarray(0, 300), /cut short/],
  ["an end within content", archive().file("a", "abc").build().subarray(0, 514), /cut short/],
  [
    "bytes after the end",
    archive().file("a").raw(new Uint8Array(1024)).raw("x".repeat(512))
      .build(),
    /after the end/,
  ],
  ["a PAX record without newline", archive().rawPax("8 a=bcd").file("a").build(), /malformed/],
  ["a PAX record without key", archive().rawPax("5 =b\n").file("a").build(), /malformed/],
  ["a PAX length of zero", archive().rawPax("0 a=b\n").file("a").build(), /malformed/],
  ["a PAX time of words", archive().pax({ mtime: "noon" }).file("a").build(), /time/],
];

for (const [name, bytes, says] of MALFORMED) {
  Deno.test(`refused: ${name}`, () => {
    const error = assertThrows(() => read(bytes), ArchiveError) as Error;
    assertEquals(says.test(error.message), true, error.message);
  });
}

Deno.test("an archive may end without its blocks of zeros, or with many", () => {
  assertEquals(read(archive().file("a").unfinished()).length, 1);
  assertEquals(read(archive().file("a").raw(new Uint8Array(512)).unfinished()).length, 1);
  assertEquals(read(archive().file("a").raw(new Uint8Array(20 * 512)).build()).length, 1);
});
