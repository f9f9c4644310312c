import { RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { LayerBytes } from "./layer_stream.ts";
import type { LayerSummary } from "./layer_sink.ts";
import type { LayerTask, WorkerReply, WorkerRequest, WorkerSetup } from "./layer_task.ts";

/** What a task came to; a summary only of an extraction. */
export interface LayerResult {
  readonly bytes: LayerBytes;
  readonly summary: LayerSummary | undefined;
}

/** More would share the memory's bandwidth, and each costs an isolate's memory. */
const MAX_WORKERS = 8;

interface Pending {
  readonly task: LayerTask;
  readonly resolve: (result: LayerResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Workers that read layers, as many as there are cores to decode on, since one isolate decodes on
 * one thread. They load while the image is being looked up, if the pool is made before that. Tasks
 * start in the order they are given. Disposing ends whatever is under way.
 */
export class LayerPool implements Disposable {
  readonly #log: Logger;
  readonly #workers: Worker[];
  readonly #queue: Pending[] = [];
  readonly #running = new Map<Worker, Pending>();
  #idle: Worker[] = [];
  #stopped: unknown;

  constructor(log: Logger) {
    this.#log = log;
    const count = Math.min(navigator.hardwareConcurrency, MAX_WORKERS);
    this.#workers = Array.from({ length: count }, () => this.#start());
  }

  /** Tells the Workers what all tasks share; nothing runs before. */
  begin(setup: WorkerSetup): void {
    for (const worker of this.#workers) {
      worker.postMessage({ kind: "setup", setup } satisfies WorkerRequest);
    }
    this.#idle = [...this.#workers];
  }

  /** @returns when the task is done; rejects with {@linkcode RunnerError} when it fails */
  run(task: LayerTask): Promise<LayerResult> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#next();
    });
  }

  /** Ends every Worker; what was not done rejects with the reason. */
  stop(reason: unknown): void {
    for (const worker of this.#workers) worker.terminate();
    for (const { reject } of [...this.#running.values(), ...this.#queue]) reject(reason);
    this.#queue.length = 0;
    this.#running.clear();
    this.#stopped = reason;
  }

  [Symbol.dispose](): void {
    this.stop(new Error("The extraction has ended"));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./layer_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = (event: MessageEvent<WorkerReply>) => this.#onReply(worker, event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`A layer's Worker failed: ${event.message}`);
      const pending = this.#finish(worker);
      // Before it had a task: whatever is asked of the pool fails.
      if (pending === undefined) this.stop(error);
      else pending.reject(error);
    };
    return worker;
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const worker = this.#idle.shift()!;
      const pending = this.#queue.shift()!;
      this.#running.set(worker, pending);
      worker.postMessage({ kind: "task", task: pending.task } satisfies WorkerRequest);
    }
  }

  #onReply(worker: Worker, reply: WorkerReply): void {
    if (reply.kind === "log") {
      this.#log[reply.level](reply.message, reply.fields);
      return;
    }
    const pending = this.#finish(worker);
    if (reply.kind === "done") {
      pending?.resolve({ bytes: reply.bytes, summary: reply.summary });
      return;
    }
    const error = reply.exit === undefined
      ? new Error(reply.message)
      : new RunnerError(reply.exit, reply.message);
    if (reply.stack !== undefined) error.stack = reply.stack;
    pending?.reject(error);
  }

  #finish(worker: Worker): Pending | undefined {
    const pending = this.#running.get(worker);
    this.#running.delete(worker);
    this.#idle.push(worker);
    this.#next();
    return pending;
  }
}
