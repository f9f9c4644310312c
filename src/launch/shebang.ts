import { type Facts, mapped } from "./facts.ts";

/** The first line of a script (execve(2)): its interpreter and at most one argument. */
export interface Shebang {
  readonly interpreter: string;
  readonly argument: string | undefined;
}

/** The kernel reads no more of a file to find its interpreter. */
const KERNEL_READS = 256;

/** @returns undefined for what is not a script */
export function shebangOf(file: string, facts: Facts): Shebang | undefined {
  const head = facts.read(file, KERNEL_READS);
  if (head === undefined || head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const line = new TextDecoder().decode(head).slice(2).split("\n", 1)[0] ?? "";
  // Blanks are spaces and tabs only: a carriage return is part of the name, as to the kernel.
  const [, interpreter = "", argument] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/s.exec(line) ?? [];
  return { interpreter, argument: argument === "" ? undefined : argument };
}

/**
 * A script whose interpreter is the image's own, under a root that is not `/`: the kernel would look
 * for it on the host, so the interpreter is made the program, as the kernel does (section 4).
 */
export function mapInterpreter(
  root: string,
  file: string,
  argv: readonly string[],
  facts: Facts,
): { readonly file: string; readonly argv: readonly string[] } {
  const script = root === "/" ? undefined : shebangOf(file, facts);
  if (script === undefined) return { file, argv };
  const interpreter = mapped(root, script.interpreter, facts);
  if (interpreter === script.interpreter) return { file, argv };
  const before = script.argument === undefined ? [] : [script.argument];
  return { file: interpreter, argv: [interpreter, ...before, file, ...argv.slice(1)] };
}
