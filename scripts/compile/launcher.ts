/** The C compiler's machine names, as `Deno.build.arch` has them. */
export type Arch = "x86_64" | "aarch64";

const SOURCES = ["launcher.c", "layout.c", "stack.c", "hidden.c", "text.c", "system.c"];

/** The codec's sources, below the launcher's (also for tests). */
export function codecSources(arch: Arch): string[] {
  const files = "codec decoder file_ops gunzip inflate huffman sha256".split(" ");
  return [...files, `machine_${arch}`].map((file) => `codec/${file}.c`);
}

/** Also what the tests compile the launcher's parts with. */
export const WARNINGS = [
  ..."-std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow".split(" "),
  ..."-Wstrict-prototypes -Wmissing-prototypes".split(" "),
];

/**
 * No libc, no unwinding, no stack protector (whose canary nobody has set up yet), and no loop
 * turned into a call of memcpy.
 */
const CODE = [
  ..."-O2 -ffreestanding -fPIE -fvisibility=hidden -fno-stack-protector".split(" "),
  ..."-fno-asynchronous-unwind-tables -fno-unwind-tables".split(" "),
  "-fno-tree-loop-distribute-patterns",
];

/** Atomic instructions in place of calls of a library that is not there. */
const ARCH_CODE: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: [],
  aarch64: ["-mno-outline-atomics"],
};

const LINK = [
  ..."-nostdlib -static-pie -Wl,--no-dynamic-linker,--build-id=none,-e,_start".split(" "),
  "-Wl,-z,noexecstack,-z,norelro,-z,separate-code,--fatal-warnings",
];

/** Compiles the launcher for `arch`; gives its file. Throws with the compiler's words. */
export async function compileLauncher(directory: URL, arch: Arch): Promise<Uint8Array> {
  const compiler = Deno.env.get("CC") ??
    (arch === Deno.build.arch ? "cc" : `${arch}-linux-gnu-gcc`);
  const output = await Deno.makeTempFile();
  try {
    const { success, stderr } = await new Deno.Command(compiler, {
      args: [
        ...WARNINGS,
        ...CODE,
        ...ARCH_CODE[arch],
        ...LINK,
        "-o",
        output,
        ...SOURCES,
        ...codecSources(arch),
        `start_${arch}.S`,
      ],
      cwd: directory,
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`"${compiler}" failed:\n${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}
