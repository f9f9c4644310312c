import { Exit, RunnerError } from "../errors.ts";
import type { ImageConfig } from "../image/types.ts";
import type { Facts } from "./facts.ts";
import { cannotStart, mapped, under } from "./facts.ts";

/** Entrypoints that prepare a container and then run `Cmd`: overlay mode runs `Cmd` alone. */
const CONFLICTING = new Set(["/entrypoint.sh", "entrypoint.sh", "/start.sh", "/init.sh"]);

/**
 * What the image runs (contract section 3): `Entrypoint` + `Cmd`, where `args` replace `Cmd`, and a
 * conflicting entrypoint gives way to it.
 *
 * @throws {RunnerError} 65 where there is nothing to run
 */
export function commandOf(
  config: Pick<ImageConfig, "entrypoint" | "cmd">,
  args: readonly string[] | undefined,
): readonly [string, ...string[]] {
  const cmd = args ?? config.cmd;
  const conflicting = CONFLICTING.has(config.entrypoint[0] ?? "") && cmd.length > 0;
  const [program, ...rest] = conflicting ? cmd : [...config.entrypoint, ...cmd];
  if (program === undefined || program === "") {
    throw new RunnerError(
      Exit.data,
      "the image has no command: its config has neither Entrypoint nor Cmd: give one after --",
    );
  }
  if ([program, ...rest].some((argument) => argument.includes("\0"))) {
    throw new RunnerError(Exit.data, "the image's command holds a NUL byte: it cannot be run");
  }
  return [program, ...rest];
}

/**
 * Where the server starts (contract section 3): `WorkingDir`, else `/app` if it exists, else `/`,
 * each at its place under the root.
 *
 * @returns undefined where the image's directory is nowhere
 */
export function directoryOf(
  root: string,
  workingDir: string | undefined,
  facts: Facts,
): string | undefined {
  const isDirectory = (path: string) => facts.stat(path)?.kind === "directory";
  if (!workingDir) {
    const app = under(root, "/app");
    return isDirectory(app) ? app : root;
  }
  const absolute = under("/", workingDir);
  return [under(root, absolute), absolute].find(isDirectory);
}

/** Every argument that is an absolute path existing under the root, at its place there (section 4). */
export function mapArguments(
  root: string,
  argv: readonly [string, ...string[]],
  facts: Facts,
): readonly [string, ...string[]] {
  const [program, ...rest] = argv.map((argument) => mapped(root, argument, facts));
  return [program ?? argv[0], ...rest];
}

/**
 * The file that `argv[0]` means. Without a slash it is looked up on the server's `PATH`, each
 * directory first under the root; nothing passes through a shell.
 *
 * @throws {RunnerError} 127 where there is none, 126 where it cannot be executed
 */
export function findProgram(
  root: string,
  program: string,
  path: string,
  cwd: string,
  facts: Facts,
): string {
  if (program.includes("/")) {
    const relative = program.replace(/^(\.\/+)+/, "");
    const file = program.startsWith("/") ? program : `${cwd === "/" ? "" : cwd}/${relative}`;
    const problem = whyNot(file, facts);
    if (problem === undefined) return file;
    throw cannotStart(
      program,
      problem.missing
        ? "no such file: is it outside the paths that are extracted? RUNNER_PATHS adds its directory"
        : problem.why,
      problem.missing ? Exit.notFound : Exit.notExecutable,
    );
  }
  let found: string | undefined;
  for (const directory of path.split(":")) {
    // An empty entry is the working directory (POSIX, 8.3).
    const places = directory.startsWith("/")
      ? [...new Set([under(root, directory), directory])]
      : [`${cwd}/${directory || "."}`];
    for (const place of places) {
      const file = `${place === "/" ? "" : place}/${program}`;
      const problem = whyNot(file, facts);
      if (problem === undefined) return file;
      if (!problem.missing && facts.stat(file)?.kind === "file") found ??= file;
    }
  }
  if (found !== undefined) {
    throw cannotStart(found, "it has no execute permission", Exit.notExecutable);
  }
  throw cannotStart(
    program,
    `it is nowhere on the server's PATH "${path}": install it in the base image, or, if the image ` +
      "has it elsewhere, add that directory with RUNNER_PATHS",
  );
}

function whyNot(file: string, facts: Facts): { missing: boolean; why: string } | undefined {
  const info = facts.stat(file);
  if (info === undefined) {
    const target = facts.link(file);
    if (target === undefined) return { missing: true, why: "no such file" };
    return undefined; // A dangling link: the diagnosis says what it expects.
  }
  if (info.kind === "directory") return { missing: false, why: "it is a directory" };
  if (info.kind !== "file") return { missing: false, why: "it is not a regular file" };
  if ((info.mode & 0o111) === 0) return { missing: false, why: "it has no execute permission" };
  return undefined;
}
