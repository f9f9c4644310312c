export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** From start to exit. */
  readonly ms: number;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program is killed, and the promise rejects, after this many milliseconds. @default 60,000 */
  readonly timeoutMs?: number;
  readonly stdin?: Uint8Array;
}

/** Runs a program to its end, whatever its exit status. */
export async function execute(
  program: string,
  args: readonly string[],
  options: ProgramOptions & { readonly clearEnv?: boolean } = {},
): Promise<Finished> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const started = performance.now();
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...options.env },
    clearEnv: options.clearEnv ?? false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    if (options.stdin !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(options.stdin);
      await writer.close();
    }
    const { code, stdout, stderr } = await child.output();
    const result = {
      code,
      stdout: new TextDecoder().decode(stdout),
      stderr: new TextDecoder().decode(stderr),
      ms: performance.now() - started,
    };
    if (late) throw new Error(`${program} did not end within ${timeoutMs} ms:\n${result.stderr}`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program that must succeed. @returns its standard output */
export async function succeed(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await execute(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} exited ${code}:\n${stderr}`);
  return stdout;
}

/** What a program prints up to the chunk with its first line's end; all, if there is none. */
export async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text;
}
