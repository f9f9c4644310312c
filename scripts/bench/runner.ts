/**
 * What is measured as the runner: the executable `RUNNER_PROGRAM` names, else one compiled for the
 * purpose, else, where that cannot be, the source.
 *
 * @param dir takes the executable
 * @returns what it is, for the report
 */
export async function prepareRunner(dir: string): Promise<string> {
  if (Deno.env.get("RUNNER_PROGRAM")) return "the executable given";
  const output = `${dir}/fastmcp-runner`;
  const script = new URL("../compile.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, "--output", output],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    console.error(new TextDecoder().decode(stderr));
    return "the source, since no executable could be compiled here";
  }
  Deno.env.set("RUNNER_PROGRAM", output);
  return "the compiled executable";
}
