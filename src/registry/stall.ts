/**
 * Calls `onStall` when something waited for takes too long. Only the time between `begin` and
 * `end` counts, so a slow reader is no stall. One timer serves a whole transfer: a chunk costs
 * two clock readings, no timer.
 */
export class StallWatch {
  readonly #ms: number;
  readonly #onStall: () => void;
  #since: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

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
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(delay: number): void {
    this.#timer = setTimeout(() => {
      const waited = this.#since === undefined ? 0 : performance.now() - this.#since;
      if (waited >= this.#ms) return this.#onStall();
      this.#schedule(this.#ms - waited);
    }, delay);
  }
}
