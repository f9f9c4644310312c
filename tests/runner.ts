import { assertEquals } from "@std/assert/equals.js";
import * as z from "zod";
import { execute, type Finished, type ProgramOptions } from "./programs.ts";

/**
 * The program under test, as argument vector: `RUNNER_PROGRAM` (the path of a compiled executable)
 * or the source under the Deno that runs the tests, so that both pass the same tests.
 */
export function runnerCommand(): readonly [string, ...string[]] {
  const compiled = Deno.env.get("RUNNER_PROGRAM");
  if (compiled) return [compiled];
  const main = new URL("../src/main.ts", import.meta.url).pathname;
  const config = new URL("../deno.json", import.meta.url).pathname;
  return [Deno.execPath(), "run", "-A", "--no-check", "--quiet", `--config=${config}`, main];
}

/** Where Deno keeps what it has fetched, so that a clean environment costs no second download. */
const denoDir = z.object({ denoDir: z.string() }).parse(JSON.parse(
  new TextDecoder().decode(
    new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "null" }).outputSync()
      .stdout,
  ),
)).denoDir;

/** A clean environment with only what a runner needs to be found and started. */
export function runnerEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: Deno.env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    ...(Deno.env.get("RUNNER_PROGRAM") ? {} : { DENO_DIR: denoDir, DENO_NO_UPDATE_CHECK: "1" }),
    ...extra,
  };
}

/** Runs the runner to its end (for commands that end, and for runs that must fail). */
export function run(args: readonly string[], options: ProgramOptions = {}): Promise<Finished> {
  const [program, ...before] = runnerCommand();
  return execute(program, [...before, ...args], {
    ...options,
    env: runnerEnv(options.env),
    clearEnv: true,
  });
}

/** A runner that was started and may have become its server; `stop` it always. */
export interface RunningServer {
  readonly pid: number;
  /** Everything written to stderr so far. */
  stderr(): string;
  /** Everything written to stdout so far. */
  stdout(): string;
  /** Resolves when stderr holds `text`; rejects when the process ends first or `timeoutMs` pass. */
  logged(text: string | RegExp, timeoutMs?: number): Promise<void>;
  readonly status: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<Deno.CommandStatus>;
}

/** Starts the runner as a child with a clean environment, and returns at once. */
export function start(
  args: readonly string[],
  options: Omit<ProgramOptions, "timeoutMs" | "stdin"> = {},
): RunningServer {
  const [program, ...before] = runnerCommand();
  const child = new Deno.Command(program, {
    args: [...before, ...args],
    env: runnerEnv(options.env),
    clearEnv: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const out = gather(child.stdout);
  const err = gather(child.stderr);
  return {
    pid: child.pid,
    stdout: out.text,
    stderr: err.text,
    status,
    kill: (signal) => child.kill(signal),
    async logged(text, timeoutMs = 20_000) {
      const found = () =>
        typeof text === "string" ? err.text().includes(text) : text.test(err.text());
      const timer = Promise.withResolvers<"late">();
      const id = setTimeout(() => timer.resolve("late"), timeoutMs);
      try {
        while (!found()) {
          const event = await Promise.race([err.next(), timer.promise]);
          if (event === "late" || event === "end") {
            if (found()) return;
            throw new Error(`not logged (${event}): ${text}\n${err.text()}`);
          }
        }
      } finally {
        clearTimeout(id);
      }
    },
    async stop(graceMs = 5_000) {
      if (!ended) child.kill("SIGTERM");
      const id = setTimeout(() => ended || child.kill("SIGKILL"), graceMs);
      const result = await status;
      clearTimeout(id);
      await Promise.all([out.done, err.done]);
      return result;
    },
  };
}

/** Sends a signal that ends it with `code`. @returns how long that took, in ms */
export async function interrupt(
  server: RunningServer,
  signal: Deno.Signal,
  code: number,
): Promise<number> {
  const sent = performance.now();
  server.kill(signal);
  const status = await server.status;
  const ms = performance.now() - sent;
  assertEquals(status.code, code, server.stderr());
  return ms;
}

/** Reads a stream to its end in the background. */
function gather(stream: ReadableStream<Uint8Array>) {
  const decoder = new TextDecoder();
  let text = "";
  let open = true;
  let wake = Promise.withResolvers<"more" | "end">();
  const done = (async () => {
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      wake.resolve("more");
      wake = Promise.withResolvers();
    }
    open = false;
    wake.resolve("end");
  })();
  return { text: () => text, next: () => open ? wake.promise : Promise.resolve("end"), done };
}
