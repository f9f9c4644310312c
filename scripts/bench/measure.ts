import * as z from "zod";

/** What one run of a command took. */
export interface Cost {
  /** From start to end, in milliseconds. */
  readonly wall: number;
  /** Processor time of all its processes, in milliseconds. */
  readonly cpu: number;
  /** The largest resident set any one of its processes had, in bytes. */
  readonly peak: number;
}

/**
 * A shell forks the command and waits for it, then becomes the program that tells what it used. So
 * the kernel's own high-water mark is read, and it is the command's: a child of this process would
 * begin with the mark of this process, whose memory it shares until it execs.
 */
const SCRIPT = `
echo begin >&3; "$@" >&2 3>&-; echo "end $?" >&3
exec "$DENO" run -A --quiet --no-config "$USAGE" >&3`;

const Usage = z.object({ seconds: z.number(), peak: z.number() });
const TIMEOUT_MS = 600_000;

/**
 * Runs a command to its end.
 *
 * @param signal ends it with all its processes
 * @throws when it fails, with what it wrote
 */
export async function measure(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Cost> {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec 3>&1; ${SCRIPT}`, "sh", ...command],
    env: { ...env, DENO: Deno.execPath(), USAGE: new URL("./usage.ts", import.meta.url).pathname },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A process group of its own, which can be ended as a whole.
    detached: true,
  }).spawn();
  const end = () => Deno.kill(-child.pid, "SIGKILL");
  const ending = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  ending.addEventListener("abort", end);
  const errors = new Response(child.stderr).text();
  const lines: { readonly text: string; readonly at: number }[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const at = performance.now();
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) lines.push({ text: line, at });
  }
  await child.status;
  ending.removeEventListener("abort", end);
  const [begin, ended, usage] = lines;
  if (begin === undefined || ended?.text !== "end 0" || usage === undefined) {
    throw new Error(`${command[0]} failed (${ended?.text ?? "killed"}):\n${await errors}`);
  }
  const { seconds, peak } = Usage.parse(JSON.parse(usage.text));
  return { wall: ended.at - begin.at, cpu: seconds * 1000, peak };
}
