/**
 * Start-up time and peak memory of the packed executable against plain deno with the same bundle,
 * for docs/executable.md: `deno run -A scripts/startup.ts [RUNS]`, after `deno task compile`.
 */
import * as z from "zod";
import { bundleProgram } from "./compile/bundle.ts";

const packed = new URL("../dist/fastmcp-runner", import.meta.url).pathname;
const main = new URL("../src/main.ts", import.meta.url).pathname;
const RUNS = Number(Deno.args[0] ?? 21);

interface Candidate {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** One run: time on the clock and on processors in ms, and peak resident memory in MiB. */
const Sample = z.object({ ms: z.number(), cpuMs: z.number(), mib: z.number() });
type Sample = z.infer<typeof Sample>;

/** In a process of its own, since the kernel tells the peak of all children together. */
async function sampleHere(env: unknown, program: string, args: string[]): Promise<Sample> {
  const options = { args, env: z.record(z.string(), z.string()).parse(env), clearEnv: true };
  const started = performance.now();
  const { success } = await new Deno.Command(program, { ...options, stdout: "null" }).output();
  const ms = performance.now() - started;
  if (!success) throw new Error(`"${program}" failed`);
  const c = Deno.dlopen("libc.so.6", {
    getrusage: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const RUSAGE_CHILDREN = -1;
  const usage = new BigInt64Array(18);
  c.symbols.getrusage(RUSAGE_CHILDREN, usage);
  // struct rusage: user and system time as seconds and microseconds, then the peak in KiB.
  const [userS = 0, userUs = 0, systemS = 0, systemUs = 0, peak = 0] = Array.from(usage, Number);
  const cpuMs = (userS + systemS) * 1000 + (userUs + systemUs) / 1000;
  return { ms, cpuMs, mib: peak / 1024 };
}

async function sample({ command, env }: Candidate): Promise<Sample> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "--sample", JSON.stringify(env), ...command],
    stderr: "inherit",
  }).output();
  return Sample.parse(JSON.parse(new TextDecoder().decode(stdout)));
}

/** The bundle as the modules that plain deno runs. */
async function writeBundle(folder: string): Promise<string> {
  const bundle = await bundleProgram(main);
  for (const { name, source } of bundle.chunks) {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, source);
  }
  return `${folder}/${bundle.main}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

async function compare(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const module = await writeBundle(`${folder}/bundle`);
    await Deno.writeTextFile(`${folder}/hello.js`, `console.log("hello")\n`);
    // Copied as the packed file was written: how a file came to disk decides how it is mapped.
    const deno = `${folder}/deno`;
    await Deno.writeFile(deno, await Deno.readFile(Deno.execPath()), { mode: 0o755 });
    const executable = `${folder}/fastmcp-runner`;
    await Deno.writeFile(executable, await Deno.readFile(packed), { mode: 0o755 });
    const plain = [deno, "run", "-A", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
    const run = (file: string, ...args: string[]): [string, ...string[]] => [
      deno,
      ...plain.slice(1),
      file,
      ...args,
    ];
    const none = { DENO_DIR: "/proc/nowhere", DENO_NO_UPDATE_CHECK: "1" };
    const kept = { ...none, DENO_DIR: `${folder}/cache` };
    const candidates: Candidate[] = [
      { name: "packed: version", command: [executable, "version"], env: none },
      { name: "plain deno, same bundle, no cache", command: run(module, "version"), env: none },
      { name: "plain deno, same bundle, its cache", command: run(module, "version"), env: kept },
      { name: "plain deno, hello", command: run(`${folder}/hello.js`), env: none },
    ];
    const samples = new Map(candidates.map(({ name }) => [name, [] as Sample[]]));
    for (let i = -2; i < RUNS; i++) {
      for (const candidate of candidates) {
        const one = await sample(candidate);
        if (i >= 0) samples.get(candidate.name)?.push(one);
      }
    }
    for (const [name, all] of samples) {
      const shown = (["ms", "cpuMs", "mib"] as const).map((key) =>
        median(all.map((one) => one[key])).toFixed(1).padStart(6)
      );
      console.log(`| ${name.padEnd(36)} | ${shown.join(" | ")} |`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [first, env = "", program = "", ...args] = Deno.args;
  if (first === "--sample") {
    console.log(JSON.stringify(await sampleHere(JSON.parse(env), program, args)));
  } else await compare();
}
