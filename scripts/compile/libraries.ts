import { dynamicStrings, Elf, type ElfFile, parseElf, text } from "./elf.ts";

/** A dynamic loader and the libraries beside it. */
export interface Libraries {
  readonly loader: Uint8Array;
  /** In the order the runtime names them; its libraries' own needs come last. */
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** Where Debian, Ubuntu and their cross compilers keep libraries, and where others do. */
function directories(machine: number): string[] {
  const triplet = machine === Elf.EM_AARCH64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return [`/lib/${triplet}`, `/usr/${triplet}/lib`, "/lib64", "/usr/lib64", "/lib"];
}

/**
 * Finds what `runtime` needs on this machine; `directory` overrides where. Throws when a library
 * is missing or belongs to another architecture.
 */
export async function findLibraries(runtime: ElfFile, directory?: string): Promise<Libraries> {
  const where = directory === undefined ? directories(runtime.machine) : [directory];
  const interpreter = runtime.headers.find((header) => header.type === Elf.PT_INTERP);
  if (interpreter === undefined) throw new Error("the runtime is not dynamically linked");
  const loaderName = basename(text(runtime.bytes, interpreter.offset));

  const files = new Map<string, Uint8Array>();
  let names = dynamicStrings(runtime, Elf.DT_NEEDED);
  while (names.length > 0) {
    const needed: string[] = [];
    for (const name of names.filter((name) => name !== loaderName && !files.has(name))) {
      const bytes = await read(name, where, runtime.machine);
      files.set(name, bytes);
      needed.push(...dynamicStrings(parseElf(bytes, name), Elf.DT_NEEDED));
    }
    names = needed;
  }
  return {
    loader: await read(loaderName, where, runtime.machine),
    files: [...files].map(([name, bytes]) => ({ name, bytes })),
  };
}

async function read(name: string, where: readonly string[], machine: number): Promise<Uint8Array> {
  for (const directory of where) {
    try {
      const bytes = await Deno.readFile(`${directory}/${name}`);
      if (parseElf(bytes, name).machine === machine) return bytes;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`"${name}" is in none of ${where.join(", ")}: install the C library`);
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
