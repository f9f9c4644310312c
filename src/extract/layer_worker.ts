/// <reference lib="deno.worker" />
import { reason, RunnerError } from "../errors.ts";
import type { LogFields, Logger, LogLevel } from "../log.ts";
import { openStore } from "../store/open.ts";
import { type LayerReader, layerReader } from "./layer_reader.ts";
import type { LayerSetup, WorkerReply, WorkerRequest } from "./layer_task.ts";

/** One of the Workers that layers are read in: one task at a time. */

const post = (reply: WorkerReply) => self.postMessage(reply);
const logAt = (level: LogLevel) => (message: string, fields?: LogFields) =>
  post({ kind: "log", level, message, fields });
const log: Logger = {
  debug: logAt("debug"),
  info: logAt("info"),
  warn: logAt("warn"),
  error: logAt("error"),
};

let reader: Promise<LayerReader> | undefined;

// The runtime loads its client and its streams with their first use, which takes longer than a
// small layer: now, while there is no layer yet.
await fetch("data:,").then((response) => response.arrayBuffer());

self.onmessage = async (event: MessageEvent<WorkerRequest>) => {
  const request = event.data;
  if (request.kind === "setup") {
    reader = prepare(request.setup);
    return;
  }
  try {
    const read = await reader!;
    post({ kind: "done", result: await read(request.task) });
  } catch (error) {
    post({
      kind: "failed",
      exit: error instanceof RunnerError ? error.exit : undefined,
      message: reason(error),
      stack: stackOf(error),
    });
  }
};

/** Where it began: what reading threw is the cause of what is told. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error.cause instanceof Error ? error.cause.stack : error.stack;
}

async function prepare(setup: LayerSetup): Promise<LayerReader> {
  // A Worker that is ended must leave no thread at work in its buffers; it is a thread itself.
  return layerReader(setup, { store: await openStore(setup.store, log), threads: false });
}
