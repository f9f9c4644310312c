import { RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ImageStore } from "../store/store.ts";
import type { LayerReader } from "./layer_reader.ts";
import type {
  LayerResult,
  LayerSetup,
  LayerTask,
  WorkerReply,
  WorkerRequest,
} from "./layer_task.ts";

/** Something that reads layers. */
export interface Lane {
  /** How many it reads at once, at most. */
  readonly width: number;
  /** Throws what the task threw, or the reason it was ended with. */
  run(task: LayerTask): Promise<LayerResult>;
  /** Ends what is under way: nothing is written from then on. */
  end(reason: unknown): void;
}

export interface OwnLaneOptions {
  readonly setup: LayerSetup;
  readonly store: ImageStore;
  /** The task this lane will have after those it has, as far as that is known. */
  readonly next: () => LayerTask | undefined;
  readonly width: number;
}

/** A lane in this isolate, which loads what it needs with the first task. */
export class OwnLane implements Lane {
  readonly width: number;
  readonly #setup: LayerSetup;
  readonly #store: ImageStore;
  readonly #next: () => LayerTask | undefined;
  readonly #abort = new AbortController();
  #reader: Promise<LayerReader> | undefined;

  constructor({ setup, store, next, width }: OwnLaneOptions) {
    this.width = width;
    this.#setup = setup;
    this.#store = store;
    this.#next = next;
  }

  async run(task: LayerTask): Promise<LayerResult> {
    this.#reader ??= this.#load();
    const read = await this.#reader;
    this.#abort.signal.throwIfAborted();
    return await read(task);
  }

  async #load(): Promise<LayerReader> {
    const { layerReader } = await import("./layer_reader.ts");
    return layerReader(this.#setup, {
      store: this.#store,
      threads: true,
      onNearEnd: () => this.#askAhead(),
      signal: this.#abort.signal,
    });
  }

  /** The registry answers while the end of the layer before is being read. */
  #askAhead(): void {
    const next = this.#next();
    if (next !== undefined) this.#store.ahead(next.layer.blob);
  }

  end(reason: unknown): void {
    this.#abort.abort(reason);
  }
}

/** A lane in a Worker, which loads from when it is made. */
export class WorkerLane implements Lane {
  readonly width = 1;
  readonly #worker: Worker;
  readonly #log: Logger;
  /** Of the task it has; failures without one are kept for the next. */
  #task = Promise.withResolvers<LayerResult>();

  constructor(log: Logger) {
    this.#log = log;
    this.#task.promise.catch(() => {});
    this.#worker = new Worker(new URL("./layer_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = (event: MessageEvent<WorkerReply>) => this.#onReply(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#task.reject(new Error(`A layer's Worker failed: ${event.message}`));
    };
  }

  /** Tells what all tasks share; once, before the first. */
  begin(setup: LayerSetup): void {
    this.#post({ kind: "setup", setup });
  }

  async run(task: LayerTask): Promise<LayerResult> {
    this.#post({ kind: "task", task });
    const result = await this.#task.promise;
    this.#task = Promise.withResolvers();
    this.#task.promise.catch(() => {});
    return result;
  }

  end(reason: unknown): void {
    this.#worker.terminate();
    this.#task.reject(reason);
  }

  #post(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #onReply(reply: WorkerReply): void {
    if (reply.kind === "log") this.#log[reply.level](reply.message, reply.fields);
    else if (reply.kind === "done") this.#task.resolve(reply.result);
    else {
      const error = reply.exit === undefined
        ? new Error(reply.message)
        : new RunnerError(reply.exit, reply.message);
      if (reply.stack !== undefined) error.stack = reply.stack;
      this.#task.reject(error);
    }
  }
}
