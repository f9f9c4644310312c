import type { Logger } from "../log.ts";
import { codecAddress } from "../os/codec.ts";
import { DECODERS_AT_ONCE } from "../os/native_decoder.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import type { ImageStore } from "../store/store.ts";
import { type Lane, OwnLane, WorkerLane } from "./lane.ts";
import type { LayerResult, LayerSetup, LayerTask } from "./layer_task.ts";

/** More would share the memory's bandwidth, and each costs an isolate's memory. */
const MAX_LANES = 8;

interface Queued {
  readonly task: LayerTask;
  readonly resolve: (result: Promise<LayerResult>) => void;
}

/**
 * Reads layers on as many lanes as there are cores for: this isolate is one, each other a Worker. A
 * lane takes one core, since an isolate works on one thread; this one takes two where the codec
 * decodes on threads beside it. The Workers load while the image is being looked up, if the pool is
 * made before that. Tasks start in the order they are given. Disposing ends whatever is under way.
 */
export class LayerPool implements Disposable {
  readonly #workers: readonly WorkerLane[];
  /** Layers that this isolate reads at once: several keep two cores busier than one. */
  readonly #width: number;
  #lanes: readonly Lane[];
  readonly #idle: Lane[] = [];
  readonly #queue: Queued[] = [];
  #stopped: { readonly reason: unknown } | undefined;

  constructor(log: Logger) {
    const hasCodec = codecAddress() !== undefined;
    const count = Math.min(navigator.hardwareConcurrency, MAX_LANES) - (hasCodec ? 2 : 1);
    this.#workers = Array.from({ length: Math.max(0, count) }, () => new WorkerLane(log));
    this.#width = hasCodec && this.#workers.length === 0 ? DECODERS_AT_ONCE : 1;
    this.#lanes = this.#workers;
  }

  /** Tells the lanes what all tasks share; nothing runs before. */
  begin(setup: LayerSetup, store: ImageStore): void {
    for (const worker of this.#workers) worker.begin(setup);
    const own = new OwnLane({
      setup,
      store,
      // Of several lanes it is not known which will take a task.
      next: () => this.lanes === 1 ? this.#queue[0]?.task : undefined,
      width: this.#width,
    });
    // The Workers have loaded by now.
    this.#lanes = [...this.#workers, own];
    for (const lane of this.#lanes) this.#idle.push(...Array<Lane>(lane.width).fill(lane));
  }

  /** Asks for the layers that are read first, as soon as it is known which they are. */
  ahead(store: ImageStore, blobs: readonly Descriptor[]): void {
    // Of several lanes it is not known which will have a layer, and each has a store of its own.
    if (this.#workers.length > 0) return;
    for (const blob of blobs.slice(0, this.#width)) store.ahead(blob);
  }

  /** Each on cores of its own; known from `begin` on. */
  get lanes(): number {
    return this.#lanes.length;
  }

  /** @returns when the task is done; rejects with {@linkcode RunnerError} when it fails */
  run(task: LayerTask): Promise<LayerResult> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped.reason);
    return new Promise((resolve) => {
      this.#queue.push({ task, resolve });
      this.#next();
    });
  }

  /** Ends every lane; what was not done rejects with the reason. */
  stop(reason: unknown): void {
    this.#stopped ??= { reason };
    for (const lane of this.#lanes) lane.end(reason);
    for (const { resolve } of this.#queue) resolve(Promise.reject(reason));
    this.#queue.length = 0;
  }

  [Symbol.dispose](): void {
    this.stop(new Error("The extraction has ended"));
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const lane = this.#idle.shift()!;
      const { task, resolve } = this.#queue.shift()!;
      const result = lane.run(task);
      resolve(result);
      // A lane whose task failed takes no other: the extraction is at its end.
      result.then(() => {
        this.#idle.push(lane);
        this.#next();
      }, () => {});
    }
  }
}
