import { runnerCommand, runnerEnv } from "../runner.ts";
import { succeed } from "../programs.ts";

/** The runner where any user, or a container, can reach it: not below somebody's home. */
export interface PortableRunner {
  readonly dir: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Copies the program under test into `dir`: the compiled executable, or Deno with the source and what
 * it imports.
 *
 * @param seenAs where `dir` will be found by those who run it. @default `dir` itself
 */
export async function portableRunner(dir: string, seenAs = dir): Promise<PortableRunner> {
  const [program] = runnerCommand();
  const copied = Deno.env.get("RUNNER_PROGRAM") ? "runner" : "deno";
  await Deno.copyFile(program, `${dir}/${copied}`);
  await Deno.chmod(`${dir}/${copied}`, 0o755);
  if (copied === "runner") return { dir, command: [`${seenAs}/runner`], env: {} };

  const project = new URL("../..", import.meta.url).pathname;
  await Deno.mkdir(`${dir}/project`);
  for (const name of ["deno.json", "deno.lock", "src"]) {
    await succeed("cp", ["-r", `${project}${name}`, `${dir}/project/`]);
  }
  const cache = runnerEnv()["DENO_DIR"];
  await Deno.mkdir(`${dir}/cache`);
  await succeed("cp", ["-r", `${cache}/npm`, `${dir}/cache/`]);
  await succeed("chmod", ["-R", "a+rwX", `${dir}/cache`, `${dir}/project`]);
  return {
    dir,
    command: [
      `${seenAs}/deno`,
      "run",
      "-A",
      "--no-check",
      "--quiet",
      "--cached-only",
      `--config=${seenAs}/project/deno.json`,
      `${seenAs}/project/src/main.ts`,
    ],
    env: { DENO_DIR: `${seenAs}/cache`, DENO_NO_UPDATE_CHECK: "1" },
  };
}
