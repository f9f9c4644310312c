import { Exit, reason, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/reference.ts";
import type { ImageStore, ManifestDocument } from "../store/store.ts";
import { Endpoint } from "./endpoint.ts";
import { Fault } from "./fault.ts";
import { Retries } from "./retry.ts";
import type { RegistrySpec } from "./spec.ts";
import { Transport } from "./transport.ts";

/** Attempts without progress: at the registry itself, and at a mirror, which may be missed. */
const ORIGIN_TRIES = 6;
const MIRROR_TRIES = 2;

const isFault = (error: unknown): error is Fault => error instanceof Fault;

/** A blob whose first bytes are on their way. */
interface Ahead {
  readonly first: Promise<IteratorResult<Uint8Array, undefined>>;
  readonly chunks: AsyncGenerator<Uint8Array, undefined>;
}

/** A repository in a registry, reached through its mirrors and the registry itself. */
export class RegistryStore implements ImageStore {
  readonly #spec: RegistrySpec;
  readonly #log: Logger;
  readonly #name: string;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #transport: Transport;
  readonly #endpoints: readonly Endpoint[];
  /** Blobs that were asked for ahead of being read. */
  readonly #ahead = new Map<Digest, Ahead>();
  /** What the tag stood for when it was asked first: a moving tag cannot mix two images. */
  #resolved: Promise<ManifestDocument> | undefined;

  constructor(spec: RegistrySpec, log: Logger, signal?: AbortSignal) {
    // The endpoints hold secrets and forget them: no copy of theirs is kept.
    this.#spec = { ...spec, endpoints: [] };
    this.#log = log;
    this.#name = formatReference(spec.reference);
    const signals = [this.#abort.signal, ...(signal === undefined ? [] : [signal])];
    this.#signal = AbortSignal.any(signals);
    this.#armDeadline(spec.deadline);
    this.#transport = new Transport({
      authorities: spec.authorities,
      stallTimeoutMs: spec.stallTimeoutMs,
      log,
      signal: this.#signal,
    });
    this.#endpoints = spec.endpoints.map((endpoint) => new Endpoint(endpoint, this.#transport));
  }

  get spec(): RegistrySpec {
    return { ...this.#spec, endpoints: this.#endpoints.map(({ spec }) => spec) };
  }

  close(): void {
    this.#abort.abort(new DOMException("the store is closed", "AbortError"));
    for (const endpoint of this.#endpoints) endpoint.forget();
    this.#transport.close();
  }

  manifest(reference?: Digest): Promise<ManifestDocument> {
    if (reference !== undefined) return this.#fetchManifest(reference);
    this.#resolved ??= this.#fetchManifest(this.#spec.reference.digest);
    return this.#resolved;
  }

  ahead(descriptor: Descriptor): void {
    if (this.#ahead.has(descriptor.digest)) return;
    const chunks = this.#fetchBlob(descriptor);
    const first = chunks.next();
    // Thrown where it is read.
    first.catch(() => {});
    this.#ahead.set(descriptor.digest, { first, chunks });
  }

  blob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    const ahead = this.#ahead.get(descriptor.digest);
    this.#ahead.delete(descriptor.digest);
    return ahead === undefined ? this.#fetchBlob(descriptor) : begun(ahead);
  }

  async *#fetchBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array, undefined> {
    let offset = 0;
    for (const endpoint of this.#endpoints) {
      const retries = this.#retries(endpoint, `fetch blob "${descriptor.digest}"`);
      for (;;) {
        try {
          for await (const chunk of endpoint.blob(descriptor, offset)) {
            offset += chunk.length;
            retries.progress();
            yield chunk;
          }
          return;
        } catch (error) {
          try {
            if (!isFault(error)) throw error;
            await retries.afterFault(error);
          } catch (final) {
            this.#passOn(endpoint, final);
            break;
          }
        }
      }
    }
  }

  #fetchManifest(digest: Digest | undefined): Promise<ManifestDocument> {
    const { reference, maxManifestSize } = this.#spec;
    const wanted = digest ?? reference.tag ?? "latest";
    return this.#atFirst(
      "fetch the manifest",
      (endpoint) => endpoint.manifest(wanted, maxManifestSize),
    );
  }

  /** The result of the first endpoint that gives one. */
  async #atFirst<T>(what: string, attempt: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    for (const endpoint of this.#endpoints) {
      try {
        return await this.#retries(endpoint, what).run(isFault, () => attempt(endpoint));
      } catch (error) {
        this.#passOn(endpoint, error);
      }
    }
    throw new RunnerError(Exit.unavailable, `pull "${this.#name}": no registry to ask`);
  }

  /** After a failure at one endpoint: throws it, unless it is a mirror's and there is another. */
  #passOn(endpoint: Endpoint, error: unknown): void {
    if (this.#signal.aborted) throw this.#signal.reason;
    if (!endpoint.mirror) throw this.#named(error);
    this.#log.info(`mirror ${endpoint.host} passed over: ${reason(error)}`);
  }

  #named(error: unknown): unknown {
    if (!(error instanceof RunnerError)) return error;
    const message = `pull "${this.#name}": ${error.message}`;
    return new RunnerError(error.exit, message, { cause: error });
  }

  #retries(endpoint: Endpoint, what: string): Retries {
    return new Retries({
      action: `${what} from ${endpoint.host}`,
      tries: endpoint.mirror ? MIRROR_TRIES : ORIGIN_TRIES,
      backoffMs: this.#spec.backoffMs,
      log: this.#log,
      signal: this.#signal,
    });
  }

  #armDeadline(deadline: number | undefined): void {
    if (deadline === undefined) return;
    const timer = setTimeout(() => {
      this.#abort.abort(
        new RunnerError(
          Exit.unavailable,
          `pull "${this.#name}": not done within RUNNER_PULL_TIMEOUT: set a longer one or look ` +
            `at the network`,
        ),
      );
    }, Math.max(0, deadline - Date.now()));
    Deno.unrefTimer(timer);
    this.#signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }
}

/** What was begun, from its first bytes on. */
function begun({ first, chunks }: Ahead): AsyncIterable<Uint8Array> {
  let isFirst = true;
  const next = () => {
    if (!isFirst) return chunks.next();
    isFirst = false;
    return first;
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => chunks.return(undefined) }) };
}
