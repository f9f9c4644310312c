import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LayerArea } from "../../src/extract/layer_area.ts";
import { LayerPool } from "../../src/extract/layer_pool.ts";
import type { LayerSetup } from "../../src/extract/layer_task.ts";
import { createLogger } from "../../src/log.ts";
import { codecAddress } from "../../src/os/codec.ts";
import { Directory } from "../../src/os/directory.ts";
import { DECODERS_AT_ONCE } from "../../src/os/native_decoder.ts";
import type { Digest } from "../../src/reference/digest.ts";
import type { ImageStore } from "../../src/store/store.ts";
import { archive } from "../archive_builder.ts";
import { codecTest, withCodec } from "../codec.ts";
import { type GzippedLayer, gzippedLayer } from "../gzipped_layer.ts";
import { noise } from "../registry/pulling.ts";
import { withRoot } from "./harness.ts";

/** Far more than a decoder's rings hold. */
const FILES = 400;
const FILE_SIZE = 30_000;
/** The first layer's; the others' are larger. */
const CHUNK = 2_000_000;

function makeLayer(i: number): GzippedLayer {
  const tar = archive();
  for (let n = 0; n < FILES; n++) tar.file(`app/${i}/${n}`, noise(FILE_SIZE, 1 + n));
  return gzippedLayer(tar.build());
}

/** Told of each chunk that is taken, as `LAYER begins`, `LAYER`, `LAYER ends`, and awaited. */
type Told = (what: string) => unknown;

/** Layers in memory. */
function storeOf(layers: readonly GzippedLayer[], told: Told): ImageStore {
  const store: Pick<ImageStore, "blob" | "ahead"> = {
    ahead: ({ digest }) => told(`ahead ${nameOf(digest)}`),
    async *blob({ digest }) {
      const { bytes } = layers[nameOf(digest)]!;
      await told(`${nameOf(digest)} begins`);
      const size = CHUNK * (1 + nameOf(digest));
      for (let at = 0; at < bytes.length; at += size) {
        yield bytes.slice(at, at + size);
        await told(`${nameOf(digest)}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      told(`${nameOf(digest)} ends`);
    },
  };
  const nameOf = (digest: Digest) => layers.findIndex(({ layer }) => layer.blob.digest === digest);
  return store as ImageStore;
}

/** A pool as the executable has it on so many cores. */
function poolOn(cores: number): LayerPool {
  const real = Object.getOwnPropertyDescriptor(Navigator.prototype, "hardwareConcurrency")!;
  Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { ...real, get: () => cores });
  try {
    return new LayerPool(createLogger({ level: "error", format: "text" }));
  } finally {
    Object.defineProperty(Navigator.prototype, "hardwareConcurrency", real);
  }
}

async function withLayers(
  count: number,
  run: (made: {
    readonly layers: readonly GzippedLayer[];
    readonly areas: readonly LayerArea[];
    readonly begin: (pool: LayerPool, told: Told) => Promise<unknown>[];
  }) => Promise<void>,
): Promise<void> {
  await withCodec(() =>
    withRoot(async (root) => {
      const layers = Array.from({ length: count }, (_, i) => makeLayer(i));
      using directory = Directory.at(root);
      using stack = new DisposableStack();
      const areas = layers.map((_, i) => stack.use(LayerArea.make(directory, `layer-${i}`)));
      const setup = {
        paths: [],
        ownership: undefined,
        limits: { maxSize: 1e9, maxEntries: 1e6, maxPathLength: 4096, maxPaxSize: 1e6 },
        meter: new SharedArrayBuffer(16),
        codec: codecAddress(),
      } as unknown as LayerSetup;
      await run({
        layers,
        areas,
        begin(pool, told) {
          const store = storeOf(layers, told);
          pool.begin(setup, store);
          return layers.map(({ layer }, i) =>
            pool.run({ kind: "extract", layer, areaFd: areas[i]!.directory.duplicate() })
          );
        },
      });
    })
  );
}

for (const cores of [1, 2]) {
  codecTest(
    `with ${cores} core(s) some layers are read at once, another when one is done`,
    () =>
      withLayers(DECODERS_AT_ONCE + 1, async ({ begin }) => {
        const told: string[] = [];
        using pool = poolOn(cores);
        await Promise.all(begin(pool, (what) => told.push(what)));
        const first = Array.from({ length: DECODERS_AT_ONCE }, (_, i) => i);
        assertEquals(told.slice(0, DECODERS_AT_ONCE), first.map((i) => `${i} begins`));
        const at = (what: string) => told.indexOf(what);
        const firstEnd = Math.min(...first.map((i) => at(`${i} ends`)));
        assert(first.every((i) => at(`${i}`) < firstEnd), told.join(", "));
        assert(at(`${DECODERS_AT_ONCE} begins`) > firstEnd, told.join(", "));
        assert(at(`ahead ${DECODERS_AT_ONCE}`) < firstEnd, told.join(", "));
      }),
  );
}

for (const where of ["0 begins", "0"]) {
  codecTest(
    `a layer whose bytes do not come ("${where}") does not hold up the others`,
    () =>
      withLayers(DECODERS_AT_ONCE + 1, async ({ begin }) => {
        using pool = poolOn(2);
        const { promise: come, resolve } = Promise.withResolvers<void>();
        const [held, ...others] = begin(pool, (what) => what === where ? come : undefined);
        await Promise.all(others);
        resolve();
        await held;
      }),
  );
}

codecTest(
  "layers that are stopped, each at its own place, make no more files",
  () =>
    withLayers(2, async ({ begin, areas }) => {
      using pool = poolOn(2);
      const count = () => areas.map(({ directory }) => filesBelow(`/proc/self/fd/${directory.fd}`));
      let chunks = 0;
      let before: number[] = [];
      const results = begin(pool, (what) => {
        // The other layer is within a chunk then.
        if (what !== "0" || ++chunks !== 3) return;
        pool.stop(new Error("stopped here"));
        before = count();
      });
      for (const result of await Promise.allSettled(results)) {
        assert(result.status === "rejected" && /stopped here/.test(String(result.reason)));
      }
      assert(before.every((files) => files > 10 && files < FILES), before.join(", "));
      assertEquals(count(), before);
    }),
);

function filesBelow(path: string): number {
  let files = 0;
  for (const entry of Deno.readDirSync(path)) {
    files += entry.isDirectory ? filesBelow(`${path}/${entry.name}`) : 1;
  }
  return files;
}
