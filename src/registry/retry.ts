import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Fault } from "./fault.ts";

export interface RetryOptions {
  /** What is being done, for messages: `fetch blob "sha256:…" from "ghcr.io"`. */
  readonly action: string;
  /** Attempts without progress before giving up. */
  readonly tries: number;
  /** The first wait; each further one is twice as long, up to {@linkcode MAX_WAIT_MS}. */
  readonly backoffMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const MAX_WAIT_MS = 10_000;
/** A registry that asks for more than this is as good as unavailable. */
const MAX_RETRY_AFTER_MS = 120_000;
/** Nothing answers at all: a wrong name or port should not take long to say so. */
const CONNECT_TRIES = 4;
/** Over all progress, so that a peer cannot hold the pull for ever by a byte an attempt. */
const MAX_FAULTS = 200;

/** Counts faults, waits between attempts, and says when it is enough. */
export class Retries {
  readonly #options: RetryOptions;
  #failed = 0;
  #faults = 0;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** To be called when something came through: the count starts again. */
  progress(): void {
    this.#failed = 0;
  }

  /** Runs `attempt` until it does not throw a fault; see {@linkcode afterFault}. */
  async run<T>(isFault: (error: unknown) => error is Fault, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isFault(error)) throw error;
        await this.afterFault(error);
      }
    }
  }

  /**
   * Waits before the next attempt: exponential backoff with jitter, or what `Retry-After` says.
   * Throws {@linkcode RunnerError} when there is to be none (65 if what came was wrong each time, else
   * 69), and the signal's reason at once
   * when it aborts.
   */
  async afterFault(fault: Fault): Promise<void> {
    const { action, tries, backoffMs, log, signal } = this.#options;
    const failed = ++this.#failed;
    this.#faults++;
    const allowed = fault.kind === "connect" ? Math.min(tries, CONNECT_TRIES) : tries;
    if (failed >= allowed || this.#faults >= MAX_FAULTS) {
      const tried = `${action}: ${fault.message} (${failed} ${failed === 1 ? "try" : "tries"})`;
      throw fault.kind === "content"
        ? new RunnerError(Exit.data, `${tried}: the registry's copy is damaged`, { cause: fault })
        : new RunnerError(
          Exit.unavailable,
          `${tried}: check that the registry can be reached from here, or try later`,
          { cause: fault },
        );
    }
    const asked = fault.retryAfterMs;
    if (asked !== undefined && asked > MAX_RETRY_AFTER_MS) {
      throw new RunnerError(
        Exit.unavailable,
        `${action}: ${fault.message}: it asks to try again in ${Math.ceil(asked / 1000)} s`,
        { cause: fault },
      );
    }
    const backoff = Math.min(MAX_WAIT_MS, backoffMs * 2 ** (failed - 1));
    // Jitter over the upper half: many runners that failed together do not return together.
    const wait = Math.round(Math.max(asked ?? 0, backoff * (0.5 + Math.random() / 2)));
    log.info(`retry: ${action}: ${fault.message}`, { waitMs: wait });
    await sleep(wait, signal);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
