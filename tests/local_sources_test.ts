import { assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import { createLogger } from "../src/log.ts";
import { storeFor } from "../src/store/for_settings.ts";
import { openStore } from "../src/store/open.ts";
import { peerTest } from "./peers.ts";
import { succeed } from "./programs.ts";
import { blobPath, writeIndex, writeLayout, type WrittenImage } from "./registry/layout.ts";
import { noise, readLayers, resolve } from "./registry/pulling.ts";
import { testSettings } from "./registry/settings.ts";
import { tar, type TarEntry } from "./registry/tar.ts";
import { run } from "./runner.ts";

const log = createLogger({ level: "error", format: "text" });

async function withLayout(body: (dir: string, written: WrittenImage) => Promise<void>) {
  const dir = await Deno.makeTempDir({ prefix: "local-" });
  try {
    await Deno.chmod(dir, 0o755);
    const written = await writeLayout(`${dir}/layout`, {
      tag: "v1",
      config: { Cmd: ["/app/run"] },
      layers: [
        { tar: tar([{ path: "app" }, { path: "app/one", content: noise(300_000) }]) },
        { tar: tar([{ path: "app/two", content: "two" }]), compression: "zstd" },
      ],
    });
    await body(dir, written);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Resolves and reads all of a source, and again from the spec a Worker gets; its digest. */
async function pull(image: string): Promise<string> {
  const store = await storeFor(testSettings({ image }), () => undefined, log);
  const resolved = await resolve(store, image);
  await readLayers(store, resolved);
  const again = await openStore(structuredClone(store.spec), log);
  store.close();
  await readLayers(again, resolved);
  again.close();
  return resolved.digest;
}

async function assertFails(image: string, exit: number, message: RegExp): Promise<void> {
  const error = await assertRejects(() => pull(image), RunnerError);
  assertMatch(error.message, message);
  assertEquals(error.exit, exit, error.message);
}

/** The layout's files in a tar archive of our own making. */
async function archive(dir: string, written: WrittenImage): Promise<TarEntry[]> {
  const { manifest, config, layers } = written;
  const blobs = [manifest, config, ...layers].map(({ digest }) => digest);
  const entries: TarEntry[] = [];
  for (const path of ["oci-layout", "index.json"]) {
    entries.push({ path, content: await Deno.readFile(`${dir}/layout/${path}`) });
  }
  for (const digest of blobs) {
    const content = await Deno.readFile(blobPath(`${dir}/layout`, digest));
    entries.push({ path: `./blobs/${digest.replace(":", "/")}`, content });
  }
  return entries;
}

Deno.test("oci: by tag, and without one when there is but one image", async () => {
  await withLayout(async (dir, written) => {
    assertEquals(await pull(`oci:${dir}/layout:v1`), written.manifest.digest);
    assertEquals(await pull(`oci:${dir}/layout`), written.manifest.digest);
    await assertFails(`oci:${dir}/layout:v2`, 69, /no such image: it has "v1"$/);
    await writeLayout(`${dir}/layout`, { tag: "v2", layers: [] });
    await assertFails(`oci:${dir}/layout`, 64, /holds several images: add one .* v1, v2$/);
    await writeIndex(`${dir}/layout`, [written.manifest], { tag: "multi" });
    assertEquals(await pull(`oci:${dir}/layout:multi`), written.manifest.digest);
  });
});

Deno.test("oci: what is not there or not whole", async () => {
  await withLayout(async (dir, written) => {
    await assertFails(`oci:${dir}/missing`, 69, /there is no ".*missing"$/);
    await assertFails(`oci:${dir}`, 65, /not an OCI image layout/);
    await assertFails(`oci:${dir}/layout/index.json`, 64, /not a directory.*oci-archive/);
    await assertFails(`oci-archive:${dir}/layout`, 64, /is a directory: use oci:/);
    const path = blobPath(`${dir}/layout`, written.layers[0]!.digest);
    await Deno.truncate(path, 1000);
    await assertFails(`oci:${dir}/layout`, 65, /blob "sha256:.*" has 1000 bytes, not the/);
    await Deno.remove(path);
    await assertFails(`oci:${dir}/layout`, 65, /it has no blob/);
    await Deno.writeTextFile(blobPath(`${dir}/layout`, written.manifest.digest), "{}");
    await assertFails(`oci:${dir}/layout`, 65, /is not what its digest says/);
  });
});

Deno.test("oci-archive: plain, gzip and zstd, read in place", async () => {
  await withLayout(async (dir, written) => {
    const bytes = tar(await archive(dir, written));
    const { gzipSync, zstdCompressSync } = await import("node:zlib");
    for (
      const [name, content] of [
        ["plain", bytes],
        ["gzip", gzipSync(bytes)],
        ["zstd", zstdCompressSync(bytes)],
      ] as const
    ) {
      await Deno.writeFile(`${dir}/${name}`, content);
      const before = [...Deno.readDirSync(dir)].length;
      assertEquals(await pull(`oci-archive:${dir}/${name}:v1`), written.manifest.digest);
      assertEquals([...Deno.readDirSync(dir)].length, before);
    }
  });
});

Deno.test("oci-archive: damaged archives are 65", async () => {
  await withLayout(async (dir, written) => {
    const bytes = tar(await archive(dir, written));
    const flipped = bytes.slice();
    flipped[148] = 0x37;
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [new Uint8Array(), /it is empty/],
      [noise(5000), /it is not a tar archive/],
      [bytes.subarray(0, 700), /it has no "index.json"/],
      [bytes.subarray(0, 1100), /it ends within a header/],
      [bytes.subarray(0, bytes.length - 200_000), /ends within a file|it has no/],
      [flipped, /it is not a tar archive/],
      [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4), /read ".*":/],
    ];
    for (const [content, message] of cases) {
      await Deno.writeFile(`${dir}/bad`, content);
      await assertFails(`oci-archive:${dir}/bad`, 65, message);
    }
  });
});

Deno.test("docker-archive: images by name and by number, links, compressed layers", async () => {
  const dir = await Deno.makeTempDir({ prefix: "docker-archive-" });
  const { gzipSync } = await import("node:zlib");
  const { createHash } = await import("node:crypto");
  const layer = tar([{ path: "app/one", content: noise(100_000) }]);
  const diffId = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const config = JSON.stringify({
    os: "linux",
    architecture,
    config: { Cmd: ["/app/one"] },
    rootfs: { type: "layers", diff_ids: [diffId] },
  });
  const manifest = [
    { Config: "c.json", RepoTags: ["org/app:v1"], Layers: ["a/layer.tar"] },
    { Config: "c.json", RepoTags: ["org/app:v2"], Layers: ["b/layer.tar"] },
    { Config: "c.json", RepoTags: null, Layers: ["c/layer.tar"] },
  ];
  const entries: TarEntry[] = [
    { path: "a/layer.tar", content: layer },
    { path: "b/layer.tar", link: "../a/layer.tar" },
    { path: "c/layer.tar", content: gzipSync(layer) },
    { path: "c.json", content: config },
    { path: "loop", link: "loop" },
    { path: "manifest.json", content: JSON.stringify(manifest) },
  ];
  const file = `${dir}/saved.tar`;
  await Deno.writeFile(file, tar(entries));
  const first = await pull(`docker-archive:${file}:org/app:v1`);
  assertEquals(await pull(`docker-archive:${file}:docker.io/org/app:v2`), first);
  assertEquals(await pull(`docker-archive:${file}:@0`), first);
  await pull(`docker-archive:${file}:@2`);
  await assertFails(
    `docker-archive:${file}`,
    64,
    /several images: .*org\/app:v1, org\/app:v2, @2$/,
  );
  await assertFails(`docker-archive:${file}:org/app`, 69, /no such image/);
  await assertFails(`oci-archive:${file}`, 65, /not an OCI image layout/);

  const looped = [{ Config: "c.json", Layers: ["loop"] }];
  entries[entries.length - 1] = { path: "manifest.json", content: JSON.stringify(looped) };
  await Deno.writeFile(file, tar(entries));
  await assertFails(`docker-archive:${file}`, 65, /it has no "loop"$/);
  await Deno.remove(dir, { recursive: true });
});

peerTest("local sources as skopeo writes them, by the whole program", ["skopeo"], async () => {
  await withLayout(async (dir) => {
    // docker-archive holds uncompressed layers; skopeo of old reads no zstd.
    await writeLayout(`${dir}/layout`, {
      tag: "gz",
      config: { Cmd: ["/app/run"] },
      layers: [{ tar: tar([{ path: "app" }, { path: "app/one", content: noise(300_000) }]) }],
    });
    for (
      const [source, destination] of [
        [`oci-archive:${dir}/oci.tar:gz`, `oci-archive:${dir}/oci.tar:gz`],
        [`docker-archive:${dir}/docker.tar`, `docker-archive:${dir}/docker.tar:org/app:v1`],
        [`oci:${dir}/copy:gz`, `oci:${dir}/copy:gz`],
      ] as const
    ) {
      await succeed("skopeo", [
        "--insecure-policy",
        "copy",
        `oci:${dir}/layout:gz`,
        destination,
      ]);
      const root = await Deno.makeTempDir({ dir });
      const { code, stderr } = await run(["pull", source], { env: { RUNNER_ROOT: root } });
      assertEquals(code, 0, stderr);
      assertEquals(await Deno.readFile(`${root}/app/one`), noise(300_000));
    }
  });
});
