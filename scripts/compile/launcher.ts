/** The C compiler's machine names, as `Deno.build.arch` has them. */
export type Arch = "x86_64" | "aarch64";

const SOURCES = ["launcher.c", "layout.c", "stack.c", "hidden.c", "text.c", "system.c"];

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
      args: [...WARNINGS, ...CODE, ...LINK, "-o", output, ...SOURCES, `start_${arch}.S`],
      cwd: directory,
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`"${compiler}" failed:\n${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}
