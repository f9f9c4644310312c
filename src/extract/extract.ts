import type { Settings } from "../config/settings.ts";
import type { ByteString } from "../bytes.ts";
import type { Image } from "../image/types.ts";
import type { Logger } from "../log.ts";
import { codecAddress } from "../os/codec.ts";
import { Directory } from "../os/directory.ts";
import type { Owner } from "../os/metadata.ts";
import type { ImageStore } from "../store/store.ts";
import { Allowlist } from "./allowlist.ts";
import { Commit } from "./commit.ts";
import { applyDirectoryMetadata } from "./directory_metadata.ts";
import { extractionError } from "./failure.ts";
import { giveToServer, mayChown } from "./give_to_server.ts";
import { LateFiles } from "./late_content.ts";
import { LayerArea } from "./layer_area.ts";
import { type MergeWay, reportLayer } from "./layer_report.ts";
import { LayerPool } from "./layer_pool.ts";
import type { Ownership } from "./ownership.ts";
import type { LayerResult } from "./layer_task.ts";
import { Meter } from "./limits.ts";
import { LineWriter } from "./line_file.ts";
import { type AppliedLayer, MergedTree } from "./merged_tree.ts";
import { readRecords, RECORD_KINDS } from "./record_log.ts";
import { TREE } from "./stage_places.ts";
import { createStaging, removeStale, type Staging } from "./staging.ts";

/** Small files of the image that the launch reads; undefined where the image has none. */
export interface ImageFiles {
  readonly passwd: Uint8Array | undefined;
  readonly group: Uint8Array | undefined;
}

export interface ExtractOptions {
  readonly image: Image;
  readonly store: ImageStore;
  readonly settings: Settings;
  /**
   * Who owns `/app` and `/data`: known, to be looked up in the image's own files, or undefined
   * when the runner is not root, and nothing is given away.
   */
  readonly owner: Owner | ((files: ImageFiles) => Owner) | undefined;
  readonly log: Logger;
  /** Used and ended by the extraction. @default one of its own */
  readonly pool?: LayerPool;
  /** Ends the extraction at once; the root is then as it was. */
  readonly signal: AbortSignal;
}

export interface Extracted {
  readonly imageFiles: ImageFiles;
  readonly files: number;
  /** Bytes fetched, and bytes they unpacked to. */
  readonly compressed: number;
  readonly unpacked: number;
}

/** A layer being read. */
interface Reading {
  readonly area: LayerArea;
  /** Until it is merged: a layer's summary takes memory. */
  result: Promise<LayerResult> | undefined;
}

/** A few milliseconds' worth. */
const RECORDS_A_TURN = 1024;

const DIRECTORY_LOG = "directories";
const LATE = "late";

/**
 * Extracts an image's allowed paths into the root (contract sections 4 and 5): layers are read in
 * parallel into a staging directory, merged there in order, and put in place when all of it has
 * been verified. A failure leaves the root as it was and no staging.
 *
 * @throws {RunnerError} 65 for what the image has wrong, 73 for what cannot be written; the
 * signal's reason when it ends the extraction
 */
export async function extract(options: ExtractOptions): Promise<Extracted> {
  const { settings, log, signal, image } = options;
  try {
    signal.throwIfAborted();
    const allowlist = new Allowlist(settings.paths);
    using root = Directory.at(settings.root);
    removeStale(root, allowlist, log);
    using staging = createStaging(root, settings.root, allowlist);
    return await new Extraction(options, allowlist, root, staging).run();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw extractionError(`Cannot extract "${image.name}" into "${settings.root}"`, error);
  }
}

/** One run, from the first layer's first byte to the tree in place. */
class Extraction {
  readonly #options: ExtractOptions;
  readonly #allowlist: Allowlist;
  readonly #root: Directory;
  readonly #staging: Staging;
  readonly #ownership: Ownership | undefined;
  readonly #captured = new Map<ByteString, Uint8Array>();

  constructor(
    options: ExtractOptions,
    allowlist: Allowlist,
    root: Directory,
    staging: Staging,
  ) {
    this.#options = options;
    this.#allowlist = allowlist;
    this.#root = root;
    this.#staging = staging;
    this.#ownership = this.#ownershipOf(options.owner);
  }

  async run(): Promise<Extracted> {
    const { settings, store, signal } = this.#options;
    const counts = new SharedArrayBuffer(16);
    const setup = {
      store: store.spec,
      paths: settings.paths,
      ownership: this.#ownership,
      limits: {
        maxSize: settings.maxSize,
        maxEntries: settings.maxEntries,
        maxPathLength: settings.maxPathLength,
        maxPaxSize: settings.maxPaxSize,
      },
      meter: counts,
      codec: codecAddress(),
    };
    using pool = this.#options.pool ?? new LayerPool(this.#options.log);
    pool.begin(setup, store);
    const onAbort = () => pool.stop(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const summary = await this.#merge(pool);
      this.#putInPlace();
      const meter = new Meter(setup.limits, counts);
      return { ...summary, unpacked: meter.bytes, imageFiles: this.#imageFiles() };
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Reads all layers at once and merges each as soon as all below it are. */
  async #merge(pool: LayerPool) {
    const { layers } = this.#options.image;
    const { directory } = this.#staging;
    directory.mkdir(TREE, 0o755);
    directory.mkdir(LATE, 0o700);
    using tree = directory.child(TREE);
    using lateDirectory = directory.child(LATE);
    const directoryLog = new LineWriter(directory.create(DIRECTORY_LOG));
    const ownership = this.#ownership;
    using areas = new DisposableStack();
    const reading = this.#read(pool, areas);
    const records = (layer: number) => readRecords(reading[layer]!.area.directory, RECORD_KINDS);
    const chowns = ownership !== undefined;
    const late = new LateFiles(lateDirectory, this.#allowlist, records, chowns);
    const merged = new MergedTree({
      root: tree,
      allowlist: this.#allowlist,
      ownership,
      directoryLog,
    });
    // A later layer's failure is heard while earlier ones are still being read.
    const failed = Promise.all(reading.map(async ({ result }) => void await result));
    failed.catch(() => {});
    let files = 0;
    let compressed = 0;
    for (const [i, { area, result }] of reading.entries()) {
      await Promise.race([result, failed]);
      const { summary, bytes } = await result!;
      reading[i]!.result = undefined;
      const layer = { area, summary: summary!, late: late.ofLayer(i) };
      const way = await this.#applyLayer(merged, i, layer);
      reportLayer(this.#options.log, layers[i]!, { summary, bytes }, way);
      for (const [path, content] of summary!.captured) this.#captured.set(path, content);
      files += summary!.files;
      compressed += bytes.compressed;
    }
    merged.close();
    directoryLog.close();
    await Promise.all([...late.wanted].map(([i, wanted]) =>
      pool.run({
        kind: "fill",
        layer: layers[i]!,
        filesFd: lateDirectory.duplicate(),
        wanted,
      })
    ));
    return { files, compressed };
  }

  /**
   * Several lanes begin with the largest layers, so that none is left for one lane when the others
   * are done; one takes them as they are merged.
   */
  #read(pool: LayerPool, areas: DisposableStack): Reading[] {
    const { layers } = this.#options.image;
    const reading: Reading[] = [];
    const order = [...layers.keys()];
    if (pool.lanes > 1) order.sort((a, b) => layers[b]!.blob.size - layers[a]!.blob.size);
    for (const i of order) {
      const area = areas.use(LayerArea.make(this.#staging.directory, `layer-${i}`));
      const task = {
        kind: "extract",
        layer: layers[i]!,
        areaFd: area.directory.duplicate(),
      } as const;
      const result = pool.run(task);
      // Reported where it is awaited; one failure is enough to end the others.
      result.catch(() => {});
      reading[i] = { area, result };
    }
    return reading;
  }

  async #applyLayer(
    merged: MergedTree,
    index: number,
    layer: AppliedLayer,
  ): Promise<MergeWay> {
    let applied = 0;
    try {
      const kinds = merged.beginLayer(layer);
      for (const record of readRecords(layer.area.directory, kinds)) {
        merged.apply(record);
        // Signals and other layers' failures are heard between records.
        if (++applied % RECORDS_A_TURN !== 0) continue;
        await nextTask();
        this.#options.signal.throwIfAborted();
      }
      return kinds.includes("named") ? "by entry" : "whole";
    } catch (error) {
      const digest = this.#options.image.layers[index]!.blob.digest;
      throw extractionError(`Cannot unpack layer "${digest}"`, error);
    }
  }

  /** The part that changes the root: it is not interrupted, and it is taken back if it fails. */
  #putInPlace(): void {
    const { settings, log } = this.#options;
    const server = this.#lateServer();
    if (server !== undefined) {
      using tree = this.#staging.directory.child(TREE);
      giveToServer(tree, this.#allowlist, server);
    }
    using commit = new Commit({
      root: this.#root,
      rootPath: settings.root,
      staging: this.#staging,
      allowlist: this.#allowlist,
      log,
    });
    try {
      commit.plan();
      commit.execute();
      using directories = this.#staging.directory.open(DIRECTORY_LOG);
      applyDirectoryMetadata(this.#root, directories, (directory) => {
        const path = commit.made(directory.path);
        if (path === undefined) return undefined;
        const isServers = server !== undefined && this.#allowlist.isServerOwned(directory.path);
        return { ...directory, path, owner: isServers ? server : directory.owner };
      });
      commit.done();
    } catch (error) {
      commit.rollBack();
      throw error;
    }
  }

  /** The server's user where it could only be looked up once the image's own files were there. */
  #lateServer(): Owner | undefined {
    const { owner } = this.#options;
    if (typeof owner !== "function" || this.#ownership === undefined) return undefined;
    return owner(this.#imageFiles());
  }

  #ownershipOf(owner: ExtractOptions["owner"]): Ownership | undefined {
    if (owner === undefined) return undefined;
    const known = typeof owner === "function" ? undefined : owner;
    if (mayChown(this.#staging.directory, known)) return { server: known };
    this.#options.log.warn(
      "Files stay root's: this container may not change owners (CAP_CHOWN is missing)",
    );
    return undefined;
  }

  #imageFiles(): ImageFiles {
    return {
      passwd: this.#captured.get("etc/passwd"),
      group: this.#captured.get("etc/group"),
    };
  }
}

/** Lets timers, messages and signals through; a resolved promise would not. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
