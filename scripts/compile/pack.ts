import { type DynamicEntry, Elf, type ElfFile, type ProgramHeader } from "./elf.ts";
import { Image, LARGE_PAGE } from "./image.ts";
import { encodeLayout, encodeTables, type Layout, type Strings, TABLES } from "./layout.ts";

/** What the runtime is to run. */
export interface Program {
  /** Read-only data, which the program finds at the addresses given to `arguments`. */
  readonly data: readonly Uint8Array[];
  /** argv[0] and what comes before the user's arguments. */
  readonly arguments: (addresses: readonly number[]) => readonly string[];
}

export interface Parts {
  /** The launcher (helper/), linked by itself. */
  readonly launcher: ElfFile;
  /** ld.so. */
  readonly loader: ElfFile;
  /** deno, or what `deno compile` made. */
  readonly runtime: ElfFile;
  /** The shared libraries the runtime needs, in the order it names them. */
  readonly libraries: readonly Uint8Array[];
  /** NAME=value: set whatever the user has set. */
  readonly environment: readonly string[];
  readonly program: Program;
}

/** One static executable of all the parts (docs/executable.md). */
export function pack(parts: Parts): Uint8Array {
  const { launcher, loader, runtime } = parts;
  refuseRelocations(launcher);
  const image = new Image(runtime.machine);
  const libraries = parts.libraries.map((bytes) => ({
    at: image.addData(bytes, LARGE_PAGE),
    size: bytes.length,
  }));
  const data = parts.program.data.map((bytes) => image.addData(bytes));
  const argumentsAt = addStrings(image, parts.program.arguments(data));
  const environmentAt = addStrings(image, parts.environment);

  const launcherBase = image.addSegments(launcher);
  const loaderBase = image.addSegments(loader);
  const runtimeBase = image.addSegments(runtime);

  const tables = launcherBase + section(launcher, ".packed.tables");
  const self = launcherBase + section(launcher, ".packed.layout");
  const layout: Layout = {
    self,
    loader: loaderBase,
    loaderEntry: loaderBase + loader.entry,
    runtimeEntry: runtimeBase + runtime.entry,
    runtimeHeaders: runtime.headers.length,
    libraries,
    arguments: argumentsAt,
    environment: environmentAt,
  };
  const fromRuntime = (offset: number) => BigInt(tables + offset - runtimeBase);
  const dynamic = runtimeDynamic(runtime, libraries.length, fromRuntime);
  image.patch(self, encodeLayout(layout));
  image.patch(tables, encodeTables(runtimeHeaders(runtime, dynamic.length, fromRuntime), dynamic));
  return image.build(launcherBase + launcher.entry, runtime.trailer);
}

/** The runtime's program headers, with its own table and its dynamic section where we put them. */
function runtimeHeaders(
  runtime: ElfFile,
  dynamicEntries: number,
  fromRuntime: (offset: number) => bigint,
): ProgramHeader[] {
  return runtime.headers.map((header) => {
    switch (header.type) {
      case Elf.PT_PHDR:
        return { ...header, address: fromRuntime(TABLES.header) };
      case Elf.PT_DYNAMIC: {
        const size = (dynamicEntries + 1) * 16;
        const address = fromRuntime(TABLES.dynamic);
        return { ...header, address, fileSize: size, memorySize: size };
      }
      default:
        return header;
    }
  });
}

/**
 * The runtime's dynamic section, which needs each library first by the file the launcher offers it
 * as, and then by its own name, under which ld.so then finds it loaded.
 */
function runtimeDynamic(
  runtime: ElfFile,
  libraries: number,
  fromRuntime: (offset: number) => bigint,
): DynamicEntry[] {
  const strings = runtime.dynamic.find((entry) => entry.tag === Elf.DT_STRTAB);
  if (strings === undefined) throw new Error("the runtime has no dynamic strings");
  const offered = Array.from({ length: libraries }, (_, i) => ({
    tag: Elf.DT_NEEDED,
    // Counted from the string table, though it lies outside: ld.so only adds.
    value: fromRuntime(TABLES.libraryName(i)) - strings.value,
  }));
  return [...offered, ...runtime.dynamic];
}

function addStrings(image: Image, strings: readonly string[]): Strings {
  const bytes = new TextEncoder().encode(strings.map((string) => `${string}\0`).join(""));
  return { at: image.addData(bytes, LARGE_PAGE), count: strings.length };
}

function section(elf: ElfFile, name: string): number {
  const found = elf.sections.get(name);
  if (found === undefined) throw new Error(`the launcher has no section "${name}"`);
  return found.address;
}

/** Nobody would apply them: the launcher is the first code to run. */
function refuseRelocations(launcher: ElfFile): void {
  const tags: readonly number[] = [Elf.DT_RELA, Elf.DT_RELR];
  if (launcher.dynamic.some((entry) => tags.includes(entry.tag))) {
    throw new Error("the launcher needs relocations: look for pointers in its data");
  }
}
