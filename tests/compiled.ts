import { execute, type Finished, succeed } from "./programs.ts";

const script = new URL("../scripts/compile.ts", import.meta.url).pathname;

/** What compiling needs besides this Deno. */
export const COMPILER = ["cc"] as const;

/**
 * Compiles the program to `output`, with this deno as its runtime, which needs no network.
 *
 * @param flags More flags of `scripts/compile.ts`
 */
export async function compileTo(output: string, ...flags: string[]): Promise<void> {
  const args = ["run", "-A", "--no-check", script, "--runtime", "deno", "--output", output];
  await succeed(Deno.execPath(), [...args, ...flags]);
}

/** The executable in a folder of its own, which goes away with it. */
export interface Compiled extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
}

/** `RUNNER_PROGRAM`, or the program compiled now: once for each file of tests. */
export async function compiled(): Promise<Compiled> {
  const folder = await Deno.makeTempDir({ prefix: "compiled-" });
  await Deno.chmod(folder, 0o755);
  const path = `${folder}/fastmcp-runner`;
  await Deno.copyFile(await (built ??= build()), path);
  return { folder, path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

let built: Promise<string> | undefined;

async function build(): Promise<string> {
  const given = Deno.env.get("RUNNER_PROGRAM");
  if (given) return given;
  const folder = await Deno.makeTempDir({ prefix: "built-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await compileTo(`${folder}/fastmcp-runner`);
  return `${folder}/fastmcp-runner`;
}

/** Runs an executable with exactly the variables of `env`. */
export function runAlone(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = "/",
): Promise<Finished> {
  return execute(path, args, { env, cwd, clearEnv: true });
}
