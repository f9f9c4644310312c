import { Exit, type RunnerError } from "../errors.ts";
import { elfOf } from "./elf.ts";
import { cannotStart, type Facts } from "./facts.ts";
import { missingLibrary } from "./libraries.ts";
import type { ExecPlan } from "./plan.ts";
import { shebangOf } from "./shebang.ts";
import { pythonsOn, venvProblem } from "./venv.ts";

/** The kernel follows no more interpreters than this (binfmt_script). */
const MAX_INTERPRETERS = 5;

const HOST_MACHINE = Deno.build.arch === "x86_64" ? "x86-64" : "arm64";

/**
 * Finds why a program could not start before it is tried, and says what the image expects, what this
 * system has, and what to change.
 *
 * @throws {RunnerError} 126 or 127
 */
export function diagnose(plan: ExecPlan, facts: Facts): void {
  const program = plan.argv[0] ?? plan.file;
  const path = plan.env["PATH"] ?? "";
  let file = plan.file;
  for (let hops = 0; hops < MAX_INTERPRETERS; hops++) {
    explainVenv(program, file, path, facts);
    explainDangling(program, file, facts);
    const script = shebangOf(file, facts);
    if (script === undefined) return explainElf(program, file, plan, facts);
    const next = interpreterOf(program, file, script, path, facts);
    if (next === undefined) return;
    file = next;
  }
}

function explainVenv(program: string, file: string, path: string, facts: Facts): void {
  const problem = venvProblem(file, facts);
  if (problem === undefined) return;
  const { directory, version, expected, found } = problem;
  const here = found === undefined
    ? pythonsOn(path, facts).filter((python) => !python.includes(directory)).join(", ") || "none"
    : found;
  throw cannotStart(
    program,
    `its virtual environment "${directory}" was made with Python ${version} at "${expected}"; this ` +
      `system has ${here}: use a base image with Python ${version}, or make the environment with ` +
      "this system's",
  );
}

function explainDangling(program: string, file: string, facts: Facts): void {
  const target = facts.link(file);
  if (target === undefined || facts.stat(file) !== undefined) return;
  throw cannotStart(
    program,
    `"${file}" is a link to "${target}", which is not there: install it in the base image, or add ` +
      "its directory with RUNNER_PATHS",
  );
}

/** @returns the interpreter's file, to be looked at in turn; undefined where that is not known */
function interpreterOf(
  program: string,
  file: string,
  { interpreter, argument }: { interpreter: string; argument: string | undefined },
  path: string,
  facts: Facts,
): string | undefined {
  if (`${interpreter}${argument ?? ""}`.endsWith("\r")) {
    throw cannotStart(
      program,
      `the first line of "${file}" ends in a carriage return: save it with Unix line ends`,
    );
  }
  if (facts.stat(interpreter) === undefined && facts.link(interpreter) === undefined) {
    throw cannotStart(
      program,
      `the first line of "${file}" names the interpreter "${interpreter}", which this system does ` +
        "not have: install it in the base image, or add its directory with RUNNER_PATHS",
    );
  }
  if (!/\/env$/.test(interpreter)) return interpreter;
  // env's own options and assignments are not taken apart; a plain name is what nearly all have.
  const [name = ""] = (argument ?? "").replace(/^-S\s+/, "").split(/\s+/);
  if (!/^[\w.+-]+$/.test(name) || name.startsWith("-")) return undefined;
  const found = path.split(":").map((directory) => `${directory}/${name}`)
    .find((candidate) => facts.stat(candidate)?.kind === "file");
  if (found !== undefined) return found;
  throw cannotStart(
    program,
    `the first line of "${file}" asks for "${name}", which is nowhere on the server's PATH ` +
      `"${path}": install it in the base image`,
  );
}

function explainElf(program: string, file: string, plan: ExecPlan, facts: Facts): void {
  const elf = elfOf(file, facts);
  if (elf === undefined) return explainOther(program, file, facts);
  if (elf.machine !== HOST_MACHINE && !runsForeign(facts)) {
    throw cannotStart(
      program,
      `"${file}" is built for ${elf.machine} and this host is ${HOST_MACHINE}: use an image for ` +
        "this platform",
      Exit.notExecutable,
    );
  }
  const { interpreter } = elf;
  if (interpreter !== undefined && facts.stat(interpreter) === undefined) {
    throw missingLoader(program, file, interpreter, facts);
  }
  const library = missingLibrary(file, elf, plan.env, facts);
  if (library === undefined) return;
  throw cannotStart(
    program,
    `"${file}" needs the shared library "${library}", which this system does not have: install it ` +
      "in the base image, or add its directory with RUNNER_PATHS and LD_LIBRARY_PATH",
  );
}

function missingLoader(
  program: string,
  file: string,
  loader: string,
  facts: Facts,
): RunnerError {
  const libc = (name: string) => /ld-musl/.test(name) ? "musl" : "glibc";
  const here = ["/lib64", "/lib"].flatMap((directory) =>
    facts.list(directory).filter((name) => /^ld-(linux|musl)/.test(name)).map((name) =>
      `${directory}/${name}`
    )
  );
  const has = here[0] === undefined ? "has no C library" : `has ${libc(here[0])} ("${here[0]}")`;
  return cannotStart(
    program,
    `"${file}" needs ${libc(loader)} ("${loader}") and this system ${has}: use a base image with ` +
      `${libc(loader)}, or build the server for this one, or statically`,
  );
}

/** Neither script nor ELF: empty or unreadable files go to the kernel, which has the last word. */
function explainOther(program: string, file: string, facts: Facts): void {
  const head = facts.read(file, 4);
  if (head === undefined || facts.list("/proc/sys/fs/binfmt_misc").length > 2) return;
  throw cannotStart(
    program,
    `"${file}" is neither an ELF program nor a script that begins with #!: give it a first line ` +
      "such as #!/bin/sh",
    Exit.notExecutable,
  );
}

/** Whether the kernel has handlers for other formats (qemu, by binfmt_misc). */
function runsForeign(facts: Facts): boolean {
  return facts.list("/proc/sys/fs/binfmt_misc").some((name) =>
    name !== "register" && name !== "status"
  );
}
