import { Exit, RunnerError } from "../errors.ts";

const SIGNALS = { SIGTERM: Exit.terminated, SIGINT: Exit.interrupted } as const;

/** How long a clean-up may take before the process ends without it; the next run removes the rest. */
const CLEANUP_LIMIT_MS = 5_000;

/** An orderly end on SIGTERM and SIGINT, from now until it is disposed of. */
export interface Interruption extends Disposable {
  /** Aborted with a {@linkcode RunnerError} that has the exit status of the signal. */
  readonly signal: AbortSignal;
}

/** Turns the first SIGTERM or SIGINT into an abort; a second one ends the process at once. */
export function interruptible(): Interruption {
  const controller = new AbortController();
  const listeners = Object.entries(SIGNALS).map(([name, exit]) => {
    const listener = () => {
      if (controller.signal.aborted) Deno.exit(exit);
      Deno.unrefTimer(setTimeout(() => Deno.exit(exit), CLEANUP_LIMIT_MS));
      controller.abort(new RunnerError(exit, `stopped by ${name}`));
    };
    return { name: name as keyof typeof SIGNALS, listener };
  });
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}
