/** One file that `deno bundle` made; its name is its path below the bundle's folder. */
export interface Chunk {
  readonly name: string;
  readonly source: string;
}

export interface Bundle {
  readonly chunks: readonly Chunk[];
  /** The chunk that is the program. */
  readonly main: string;
  /** The chunk of each Worker, by its module's file name. */
  readonly workers: ReadonlyMap<string, string>;
}

/** How the source starts a Worker: the module's file name is in the first group. */
export const WORKER_URL = /new URL\(\s*"\.\/([a-z_]+\.ts)",\s*import\.meta\.url,?\s*\)/g;

/**
 * Bundles the program at `main`, an absolute path, with every Worker that a module below its folder
 * starts as `new Worker(new URL("./name.ts", import.meta.url), …)`. What is imported dynamically
 * stays in chunks of its own. Throws with the bundler's words.
 */
export async function bundleProgram(main: string): Promise<Bundle> {
  const folder = main.slice(0, main.lastIndexOf("/"));
  const workers = await Array.fromAsync(workerModules(folder));
  const output = await Deno.makeTempDir();
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--code-splitting", "--outdir", output, main, ...workers],
      cwd: folder,
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`cannot bundle "${main}":\n${new TextDecoder().decode(stderr)}`);
    const chunks = await Array.fromAsync(files(output), async (path) => ({
      name: path.slice(output.length + 1),
      source: await Deno.readTextFile(path),
    }));
    chunks.sort((a, b) => a.name < b.name ? -1 : 1);
    const chunkOf = (module: string) =>
      onlyChunk(chunks, module.slice(module.lastIndexOf("/") + 1).replace(/\.ts$/, ".js"));
    return {
      chunks,
      main: chunkOf(main),
      workers: new Map(
        workers.map((path) => [path.slice(path.lastIndexOf("/") + 1), chunkOf(path)]),
      ),
    };
  } finally {
    await Deno.remove(output, { recursive: true });
  }
}

function onlyChunk(chunks: readonly Chunk[], file: string): string {
  const found = chunks.filter(({ name }) => name === file || name.endsWith(`/${file}`));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    throw new Error(`the bundle has ${found.length} files named "${file}", where one is needed`);
  }
  return only.name;
}

/** Absolute paths of the modules that are started as Workers. */
async function* workerModules(folder: string): AsyncGenerator<string> {
  for await (const path of files(folder)) {
    if (!path.endsWith(".ts")) continue;
    for (const [, name] of (await Deno.readTextFile(path)).matchAll(WORKER_URL)) {
      yield path.slice(0, path.lastIndexOf("/") + 1) + name;
    }
  }
}

async function* files(folder: string): AsyncGenerator<string> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}
