import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import zlib from "node:zlib";
import { detectingDecompressor } from "../../src/archive/decompress.ts";
import { ArchiveError } from "../../src/archive/error.ts";
import type { TarEntry } from "../../src/archive/tar/entry.ts";
import { TarReader } from "../../src/archive/tar/reader.ts";
import { archive } from "../archive_builder.ts";
import { listTree } from "../tree.ts";
import { extractArchives, withRoot } from "./harness.ts";
import { Random } from "./random.ts";

const TAR_CASES = 20_000;
const GZIP_CASES = 3_000;
const TREE_CASES = 60;
const LIMITS = { maxPathLength: 4096, maxPaxSize: 64 * 1024 };

const seedArchives = [
  archive().dir("app").file("app/a", "A".repeat(700)).symlink("app/l", "a").link("app/h", "app/a"),
  archive().pax({ path: "app/" + "p".repeat(150), mtime: "1.5", size: "3" }).file("x", "abc"),
  archive().gnuLongName("app/" + "n".repeat(200)).gnuLongLink("m".repeat(120)).symlink("x", "y"),
  archive().pax([
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.name", "app/s"],
    ["GNU.sparse.realsize", "4096"],
  ]).file("x", "1\n1024\n3\n".padEnd(512, "\0") + "abc"),
  archive().whiteout("app/a").opaque("app").file("app/z", "", { uid: 2_500_000, mtime: -5 }),
].map((builder) => builder.build());

/** A few bytes changed, weighted to headers and to the digits, NULs and signs that headers have. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const mutated = Uint8Array.from(bytes);
  for (let n = 1 + random.int(6); n > 0; n--) {
    const block = random.int(mutated.length / 512) * 512;
    const at = random.chance(0.8) ? block + random.int(350) : random.int(mutated.length);
    mutated[at] = random.chance(0.5)
      ? random.int(256)
      : random.pick([0, 0x20, 0x30, 0x37, 0x80, 0xff, 0x2f, 0x2e, 0x3d, 0x0a]);
  }
  // Most headers would only ever fail their checksum.
  if (random.chance(0.8)) { for (let at = 0; at < mutated.length; at += 512) resum(mutated, at); }
  return random.chance(0.2) ? mutated.subarray(0, random.int(mutated.length)) : mutated;
}

function resum(bytes: Uint8Array, at: number): void {
  const magic = String.fromCharCode(...bytes.subarray(at + 257, at + 262));
  if (magic !== "ustar") return;
  bytes.fill(0x20, at + 148, at + 156);
  const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  bytes.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), at + 148);
}

function feed(reader: TarReader, bytes: Uint8Array<ArrayBuffer>, random: Random): void {
  for (let at = 0; at < bytes.length;) {
    const size = random.pick([1, 100, 512, 513, 4096]);
    reader.push(bytes.subarray(at, at + size));
    at += size;
  }
  reader.finish();
}

Deno.test("mutated tar, PAX and GNU headers: an error or entries, never more than was given", () => {
  const random = new Random(7);
  let refused = 0;
  for (let i = 0; i < TAR_CASES; i++) {
    const bytes = mutate(random, random.pick(seedArchives));
    let given = 0;
    let open: TarEntry | undefined;
    const reader = new TarReader({
      entry(entry) {
        assertEquals(open, undefined, "an entry within another's content");
        assert(entry.path.length <= LIMITS.maxPathLength);
        if (entry.type !== "file") return false;
        open = entry;
        return true;
      },
      content(chunk, offset) {
        given += chunk.length;
        assert(offset >= 0 && offset + chunk.length <= open!.size, "content past the file's size");
      },
      end: () => void (open = undefined),
    }, LIMITS);
    try {
      feed(reader, bytes, random);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      refused++;
    }
    assert(given <= bytes.length);
  }
  assert(refused > TAR_CASES / 10 && refused < TAR_CASES, `${refused} refused`);
  console.log(`${TAR_CASES} tar cases, ${refused} refused`);
});

Deno.test("mutated gzip and zstd: an error or the bytes, never a hang", () => {
  const random = new Random(11);
  const plain = seedArchives[0]!;
  const streams = [
    zlib.gzipSync(plain),
    Uint8Array.from([...zlib.gzipSync(plain.subarray(0, 600)), ...zlib.gzipSync(plain)]),
    zlib.zstdCompressSync(plain),
  ];
  let refused = 0;
  for (let i = 0; i < GZIP_CASES; i++) {
    const bytes = Uint8Array.from(random.pick(streams));
    for (let n = 1 + random.int(3); n > 0; n--) {
      bytes[random.chance(0.5) ? random.int(12) : random.int(bytes.length)] = random.int(256);
    }
    let size = 0;
    const decompressor = detectingDecompressor(() => {});
    try {
      for (let at = 0; at < bytes.length; at += 37) {
        decompressor.push(bytes.subarray(at, at + 37), (out) => size += out.length);
      }
      decompressor.finish((out) => size += out.length);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      refused++;
    } finally {
      decompressor.close();
    }
    assert(size < 1 << 24, "a few hundred bytes made more than 16 MiB");
  }
  assert(refused > GZIP_CASES / 4, `${refused} refused`);
  console.log(`${GZIP_CASES} gzip and zstd cases, ${refused} refused`);
});

Deno.test("mutated archives write nothing outside the allowed paths", async () => {
  const random = new Random(13);
  await withRoot(async (dir) => {
    await Deno.mkdir(`${dir}/etc`);
    await Deno.writeTextFile(`${dir}/etc/passwd`, "original");
    const before = listTree(`${dir}/etc`);
    for (let i = 0; i < TREE_CASES; i++) {
      const layers = [mutate(random, random.pick(seedArchives)), random.pick(seedArchives)];
      await extractArchives({ layers, root: dir });
      assertEquals(listTree(`${dir}/etc`), before);
      for (const { name } of Deno.readDirSync(dir)) {
        assert(["etc", "app", "data", "home", "opt", "srv", "var", "usr"].includes(name), name);
      }
      await Deno.remove(`${dir}/app`, { recursive: true }).catch(() => {});
    }
  });
  console.log(`${TREE_CASES} mutated images extracted`);
});
