import { assertEquals } from "@std/assert/equals.js";
import { type Arch, codecSources, WARNINGS } from "../scripts/compile/launcher.ts";
import { codecAddress } from "../src/os/codec.ts";
import { peerTest, rootTest } from "./peers.ts";
import { succeed } from "./programs.ts";

const helper = new URL("../helper/", import.meta.url).pathname;

/** What decodes layers: the runtime's own libraries, or the native codec (helper/codec/). */
export type DecoderName = "runtime" | "codec";

/**
 * Registers a test for each decoder, which is the one that extractions use while it runs. The packed
 * executable brings the codec; here it is compiled, so that needs a C compiler, and a processor with
 * the instructions.
 */
export function decoderTest(
  name: string,
  fn: (t: Deno.TestContext, decoder: DecoderName) => void | Promise<void>,
  needs: { readonly root?: boolean; readonly peers?: readonly string[] } = {},
): void {
  const { root = false, peers = [] } = needs;
  const register = root ? rootTest : peerTest;
  register(`${name}, decoded by the runtime`, peers, (t) => fn(t, "runtime"));
  register(
    `${name}, decoded by the codec`,
    [...peers, ...compiler()],
    (t) => withCodec(async () => await fn(t, "codec")),
  );
}

/** Registers a test that compiles the codec. */
export function codecTest(
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  peerTest(name, compiler(), fn);
}

/** Makes extractions use the codec, as the packed executable's boot script does. */
export async function withCodec<T>(run: () => Promise<T>): Promise<T> {
  const address = await codecForTests();
  globalThis.fastmcpRunner = { codec: String(address) };
  try {
    assertEquals(codecAddress(), address);
    return await run();
  } finally {
    globalThis.fastmcpRunner = undefined;
  }
}

let compiled: Promise<bigint> | undefined;

/** Where in this process a `struct codec` is, compiled from the sources. */
export function codecForTests(): Promise<bigint> {
  return compiled ??= compile();
}

async function compile(): Promise<bigint> {
  const folder = await Deno.makeTempDir({ prefix: "codec-" });
  try {
    const library = `${folder}/codec.so`;
    await compileCodec(library, ["-shared", "-fPIC", "-O2", `${helper}system.c`]);
    const { codec_of_machine } = Deno.dlopen(library, {
      codec_of_machine: { parameters: [], result: "pointer" },
    }).symbols;
    return Deno.UnsafePointer.value(codec_of_machine());
  } finally {
    // The library stays loaded.
    await Deno.remove(folder, { recursive: true });
  }
}

/** Compiles the codec's sources, with what `args` add, by the launcher's warnings. */
export async function compileCodec(output: string, args: readonly string[]): Promise<void> {
  const sources = codecSources(Deno.build.arch as Arch).map((file) => helper + file);
  await succeed("cc", [...WARNINGS, "-o", output, ...args, ...sources]);
}

/** What the codec needs, as peers. */
function compiler(): string[] {
  const flags = Deno.build.arch === "x86_64" ? ["sha_ni", "bmi2", "pclmulqdq"] : ["sha2", "crc32"];
  const cpuinfo = Deno.readTextFileSync("/proc/cpuinfo");
  const suffices = flags.every((flag) => new RegExp(`\\b${flag}\\b`).test(cpuinfo));
  return suffices ? ["cc"] : ["cc", "a processor with SHA-256 instructions"];
}
