import { Directory } from "../os/directory.ts";
import type { FileQueue } from "../os/file.ts";
import { Codec } from "../os/codec.ts";
import type { ImageStore } from "../store/store.ts";
import { Allowlist } from "./allowlist.ts";
import { extractionError } from "./failure.ts";
import { FillSink } from "./fill_sink.ts";
import { LayerArea } from "./layer_area.ts";
import { LayerSink } from "./layer_sink.ts";
import { readLayer } from "./layer_stream.ts";
import type { LayerResult, LayerSetup, LayerTask } from "./layer_task.ts";
import { Meter } from "./limits.ts";

/** Does one task, from the layer's blob to its nodes and records. */
export type LayerReader = (task: LayerTask) => Promise<LayerResult>;

export interface LayerReaderOptions {
  readonly store: ImageStore;
  /** Whether the codec may work on the runtime's threads, beside this isolate. */
  readonly threads: boolean;
  /** Called when a layer is soon read: what is to come next may be asked for. */
  readonly onNearEnd?: () => void;
  /** Its abort ends a task before it takes another chunk: nothing is written after it. */
  readonly signal?: AbortSignal;
}

/** A reader in this isolate. */
export function layerReader(
  setup: LayerSetup,
  { store, threads, onNearEnd, signal }: LayerReaderOptions,
): LayerReader {
  const allowlist = new Allowlist(setup.paths);
  const { ownership, limits } = setup;
  const codec = setup.codec === undefined ? undefined : new Codec(setup.codec, threads);
  const meter = new Meter(limits, setup.meter);
  const read = async (task: LayerTask): Promise<LayerResult> => {
    const blob = store.blob(task.layer.blob);
    if (task.kind === "fill") {
      using files = Directory.given(task.filesFd);
      const sink = new FillSink(files, task.wanted, ownership);
      const options = { handler: () => sink, limits, meter: undefined, codec, signal };
      return { bytes: await readLayer(task.layer, blob, options), summary: undefined };
    }
    using area = LayerArea.given(task.areaFd);
    let sink: LayerSink | undefined;
    const handler = (queue: FileQueue | undefined) =>
      sink = new LayerSink({ area, allowlist, ownership, meter, queue });
    const options = { handler, limits, meter, codec, onNearEnd, signal };
    const bytes = await readLayer(task.layer, blob, options);
    return { bytes, summary: sink?.close() };
  };
  return async (task) => {
    using _ = codec?.layer();
    try {
      return await read(task);
    } catch (error) {
      throw extractionError(`Cannot unpack layer "${task.layer.blob.digest}"`, error);
    }
  };
}
