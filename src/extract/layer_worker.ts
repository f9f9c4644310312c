/// <reference lib="deno.worker" />
import type { ByteString } from "../bytes.ts";
import { reason, RunnerError } from "../errors.ts";
import type { LogFields, Logger, LogLevel } from "../log.ts";
import { Directory } from "../os/directory.ts";
import { openStore } from "../store/open.ts";
import { Allowlist } from "./allowlist.ts";
import { extractionError } from "./failure.ts";
import { FillSink } from "./fill_sink.ts";
import { LayerSink, type LayerSummary } from "./layer_sink.ts";
import { type LayerBytes, readLayer } from "./layer_stream.ts";
import type { LayerTask, WorkerReply, WorkerRequest, WorkerSetup } from "./layer_task.ts";
import { Meter } from "./limits.ts";
import { RecordWriter } from "./record_log.ts";

/** One of the Workers that layers are read in: one task at a time, from blob to nodes and records. */

const post = (reply: WorkerReply) => self.postMessage(reply);
const logAt = (level: LogLevel) => (message: string, fields?: LogFields) =>
  post({ kind: "log", level, message, fields });
const log: Logger = {
  debug: logAt("debug"),
  info: logAt("info"),
  warn: logAt("warn"),
  error: logAt("error"),
};

type Work = (task: LayerTask) => Promise<[LayerBytes, LayerSummary | undefined]>;
let work: Promise<Work> | undefined;

self.onmessage = async (event: MessageEvent<WorkerRequest>) => {
  const request = event.data;
  if (request.kind === "setup") {
    work = prepare(request.setup);
    return;
  }
  const { task } = request;
  try {
    const [bytes, summary] = await (await work!)(task);
    post({ kind: "done", bytes, summary });
  } catch (error) {
    const told = extractionError(`Cannot unpack layer "${task.layer.blob.digest}"`, error);
    post({
      kind: "failed",
      exit: told instanceof RunnerError ? told.exit : undefined,
      message: reason(told),
      stack: error instanceof Error ? error.stack : undefined,
    });
  }
};

async function prepare(setup: WorkerSetup): Promise<Work> {
  const store = await openStore(setup.store, log);
  const allowlist = new Allowlist(setup.paths);
  const { ownership, limits } = setup;
  const meter = new Meter(limits, setup.meter);
  return async (task) => {
    const blob = store.blob(task.layer.blob);
    if (task.kind === "fill") {
      using files = Directory.given(task.filesFd);
      const sink = new FillSink(files, task.wanted, ownership);
      return [await readLayer(task.layer, blob, sink, limits, undefined), undefined];
    }
    using parent = Directory.given(task.recordsFd);
    using nodes = Directory.given(task.nodesFd);
    const isInside = (path: ByteString) => allowlist.place(path) === "inside";
    const records = new RecordWriter(parent, task.index, isInside);
    const sink = new LayerSink({ nodes, records, allowlist, ownership, meter });
    const bytes = await readLayer(task.layer, blob, sink, limits, meter);
    return [bytes, sink.close()];
  };
}
