/**
 * Calls `onStall` when something waited for takes too long. Only the time between `begin` and
 * `end` counts, so a slow reader is no stall. One timer serves a whole transfer: a chunk costs
 * two clock readings, no timer.
 */
export class StallWatch {
  readonly #ms: number;
  readonly #onStall: () => void;
  #since: number | undefined;
  #timer: AbortSignal | undefined;

  constructor(ms: number, onStall: () => void) {
    this.#ms = ms;
    this.#onStall = onStall;
  }

  begin(): void {
    this.#since = performance.now();
    if (this.#timer === undefined) this.#schedule(this.#ms);
  }

  end(): void {
    this.#since = undefined;
  }

  /** Ends the watch; `begin` starts it again. */
  stop(): void {
    this.#since = undefined;
    this.#timer = undefined;
  }

  /** By a signal: to load the runtime's setTimeout costs a sixth of the time to a first request. */
  #schedule(delay: number): void {
    const timer = AbortSignal.timeout(delay);
    this.#timer = timer;
    timer.addEventListener("abort", () => {
      if (this.#timer !== timer) return;
      const waited = this.#since === undefined ? 0 : performance.now() - this.#since;
      if (waited >= this.#ms) return this.#onStall();
      this.#schedule(Math.ceil(this.#ms - waited));
    });
  }
}
