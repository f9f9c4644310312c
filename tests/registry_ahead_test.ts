import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import { OwnLane } from "../src/extract/lane.ts";
import { LayerArea } from "../src/extract/layer_area.ts";
import type { LayerSetup, LayerTask } from "../src/extract/layer_task.ts";
import { Directory } from "../src/os/directory.ts";
import type { Digest } from "../src/reference/digest.ts";
import { readDocument } from "../src/image/small_blob.ts";
import { openStore } from "../src/store/open.ts";
import type { ImageStore } from "../src/store/store.ts";
import { archive } from "./archive_builder.ts";
import { withRoot } from "./extract/harness.ts";
import { gzippedLayer } from "./gzipped_layer.ts";
import { isLayer, layerFaults } from "./registry/one_layer.ts";
import { noise, quickSpec, readLayers, recordingLog, resolve } from "./registry/pulling.ts";
import type { FaultyServer } from "./registry/faulty.ts";

async function opened(server: FaultyServer) {
  const { log, lines } = recordingLog();
  const store = await openStore(await quickSpec(`${server.host}/org/app:v1`, log), log);
  const image = await resolve(store);
  return { store, image, lines };
}

Deno.test("a blob asked for ahead is read whole, and not asked for again", async () => {
  await using server = layerFaults();
  const { store, image } = await opened(server);
  store.ahead(image.layers[0]!.blob);
  store.ahead(image.layers[0]!.blob);
  while (server.blobBytes < 300_000) await new Promise((resolve) => setTimeout(resolve, 5));
  await readLayers(store, image);
  assertEquals(server.requests.filter(isLayer).length, 1);
  // Once: a second reading is one of its own.
  await readLayers(store, image);
  assertEquals(server.requests.filter(isLayer).length, 2);
  store.close();
});

Deno.test("a blob asked for ahead is taken up again where it was cut", async () => {
  await using server = layerFaults({ kind: "hangup" }, { kind: "cut", after: 100_000 });
  const { store, image } = await opened(server);
  store.ahead(image.layers[0]!.blob);
  await readLayers(store, image);
  const ranges = server.requests.filter(isLayer).map(({ headers }) => headers.get("range"));
  assertEquals(ranges, [null, null, "bytes=100000-"]);
  store.close();
});

Deno.test("what fails ahead is thrown where the blob is read", async () => {
  await using server = layerFaults({ kind: "status", status: 404 });
  const { store, image } = await opened(server);
  store.ahead(image.layers[0]!.blob);
  while (!server.requests.some(isLayer)) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const error = await assertRejects(() => readLayers(store, image), RunnerError, "404");
  assertEquals(error.exit, 69);
  store.close();
});

Deno.test("a blob asked for ahead and never read ends with its store", async () => {
  await using server = layerFaults({ kind: "stall", after: 10 });
  const { store, image, lines } = await opened(server);
  store.ahead(image.layers[0]!.blob);
  while (server.blobBytes < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  store.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(lines.filter((line) => line.includes("retry")), []);
});

Deno.test("a document asked for ahead as a larger blob is read no further than its own size", async () => {
  const size = 400_000;
  await using server = layerFaults({ kind: "long", extra: 100_000_000 });
  const { store, image } = await opened(server);
  const { blob } = image.layers[0]!;
  store.ahead({ ...blob, size: 5e9 });
  const error = await assertRejects(() => readDocument(store, blob, size), RunnerError);
  assertEquals([blob.size, error.exit], [size, 65]);
  assertMatch(error.message, /it does not have the 400000 bytes of the manifest/);
  assert(server.blobBytes < 10_000_000, `${server.blobBytes} bytes`);
  store.close();
});

/** A store in memory that notes what is asked of it. */
class NotingStore implements Pick<ImageStore, "blob" | "ahead"> {
  readonly asked: string[] = [];
  readonly #blobs: ReadonlyMap<string, Uint8Array>;

  constructor(blobs: ReadonlyMap<string, Uint8Array>) {
    this.#blobs = blobs;
  }

  ahead({ digest }: { digest: Digest }): void {
    this.asked.push(`ahead ${digest}`);
  }

  async *blob({ digest }: { digest: Digest }): AsyncGenerator<Uint8Array> {
    const bytes = this.#blobs.get(digest)!;
    for (let at = 0; at < bytes.length; at += 1_000_000) {
      yield bytes.slice(at, at + 1_000_000);
      await Promise.resolve();
    }
    this.asked.push(`read ${digest}`);
  }
}

for (const [name, size] of [["large", 5_000_000], ["small", 1000]] as const) {
  Deno.test(`a lane asks for its next layer before a ${name} one is read`, () =>
    withRoot(async (root) => {
      const layers = [size, size + 1].map((size) =>
        gzippedLayer(archive().file(`app/${size}`, noise(size)).build())
      );
      const digests = layers.map(({ layer }) => layer.blob.digest);
      const store = new NotingStore(
        new Map(layers.map(({ layer, bytes }) => [layer.blob.digest as string, bytes])),
      );
      using directory = Directory.at(root);
      const areas = new DisposableStack();
      const tasks: LayerTask[] = layers.map(({ layer }, i) => {
        const area = areas.use(LayerArea.make(directory, `layer-${i}`));
        return { kind: "extract", layer, areaFd: area.directory.duplicate() };
      });
      const setup = {
        store: { kind: "oci", path: "", reference: undefined, maxManifestSize: 0 },
        paths: [],
        ownership: undefined,
        limits: { maxSize: 1e9, maxEntries: 1e6, maxPathLength: 4096, maxPaxSize: 1e6 },
        meter: new SharedArrayBuffer(16),
        codec: undefined,
      } as unknown as LayerSetup;
      const waiting = tasks.slice(1);
      const lane = new OwnLane({
        setup,
        store: store as unknown as ImageStore,
        next: () => waiting[0],
        width: 1,
      });
      await lane.run(tasks[0]!);
      assertEquals(store.asked, [`ahead ${digests[1]}`, `read ${digests[0]}`]);
      waiting.shift();
      await lane.run(tasks[1]!);
      assertEquals(store.asked.slice(2), [`read ${digests[1]}`]);
      areas.dispose();
    }));
}
