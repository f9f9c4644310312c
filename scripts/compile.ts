/**
 * `deno task compile`: makes `dist/fastmcp-runner`, one static executable (docs/executable.md).
 *
 * Flags:
 * - `--output FILE`, `--main MODULE`
 * - `--runtime compile|deno`: what `deno compile` makes, or this deno with the bundled program;
 *   unset tries the first and falls back to the second
 * - `--arch x86_64|aarch64`, `--deno FILE`, `--libraries DIR`: for another architecture, the deno
 *   executable to pack and where its C library is
 */
import { parseArgs } from "@std/cli/parse_args.js";
import * as z from "zod";
import { bootScript } from "./compile/boot.ts";
import { type Bundle, bundleProgram } from "./compile/bundle.ts";
import { denoCompile } from "./compile/denort.ts";
import { detach } from "./compile/detach.ts";
import { parseElf } from "./compile/elf.ts";
import { compileLauncher } from "./compile/launcher.ts";
import { findLibraries } from "./compile/libraries.ts";
import { pack, type Program } from "./compile/pack.ts";
import { dataUrl, HERMETIC_ENVIRONMENT, RUNTIME_ARGUMENTS } from "./compile/runtime.ts";
import { chunkScript } from "./compile/script.ts";
import project from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);

const Flags = z.object({
  output: z.string().default(new URL("dist/fastmcp-runner", root).pathname),
  main: z.string().default(new URL("src/main.ts", root).pathname),
  runtime: z.enum(["compile", "deno"]).optional(),
  arch: z.enum(["x86_64", "aarch64"]).default(Deno.build.arch),
  deno: z.string().default(Deno.execPath()),
  libraries: z.string().optional(),
});
type Flags = z.infer<typeof Flags>;

async function compile(flags: Flags): Promise<void> {
  const bundle = await bundleProgram(flags.main);
  if (flags.runtime !== "deno") {
    const refused = await packCompiled(flags, bundle).then(() => undefined, String);
    if (refused === undefined) return;
    if (flags.runtime === "compile") throw new Error(refused);
    console.error(`\`deno compile\` gives no runtime to pack (${refused}): packing deno itself`);
  }
  await write(flags, await Deno.readFile(flags.deno), bundledProgram(bundle));
}

/** Packs what `deno compile` makes, and sees that it starts. */
async function packCompiled(flags: Flags, bundle: Bundle): Promise<void> {
  if (flags.arch !== Deno.build.arch) throw new Error("only for this machine's architecture");
  const runtime = await denoCompile(bundle);
  await write(flags, runtime, { data: [], arguments: () => ["fastmcp-runner"] });
  const { stdout } = await new Deno.Command(flags.output, { args: ["version"] }).output();
  if (new TextDecoder().decode(stdout) !== `${project.version}\n`) {
    throw new Error("what it made does not start when packed");
  }
}

function bundledProgram(bundle: Bundle): Program {
  const entries = [bundle.main, ...bundle.workers.values()];
  const scripts = bundle.chunks.map((chunk) => chunkScript(chunk, entries.includes(chunk.name)));
  const data = scripts.map((script) => new TextEncoder().encode(script.source));
  return {
    data,
    arguments: (addresses) => {
      const extents = data.map((bytes, i) => ({ at: addresses[i] ?? 0, size: bytes.length }));
      return [...RUNTIME_ARGUMENTS, dataUrl(bootScript(bundle, scripts, extents))];
    },
  };
}

async function write(flags: Flags, runtimeBytes: Uint8Array, program: Program): Promise<void> {
  const runtime = parseElf(runtimeBytes, flags.deno);
  const libraries = await findLibraries(runtime, flags.libraries);
  const packed = pack({
    launcher: parseElf(await compileLauncher(new URL("helper/", root), flags.arch), "launcher"),
    loader: parseElf(detach(libraries.loader, "loader"), "ld.so"),
    runtime,
    libraries: libraries.files.map(({ name, bytes }) =>
      name === "libc.so.6" ? detach(bytes, "libc") : bytes
    ),
    environment: HERMETIC_ENVIRONMENT,
    program,
  });
  await Deno.mkdir(flags.output.slice(0, flags.output.lastIndexOf("/") + 1), { recursive: true });
  // A new file: the old one may be running.
  await Deno.remove(flags.output).catch(() => {});
  await Deno.writeFile(flags.output, packed, { mode: 0o755 });
  const names = libraries.files.map((file) => file.name).join(", ");
  console.log(`${flags.output}: ${(packed.length / 1e6).toFixed(1)} MB (with ld.so, ${names})`);
}

if (import.meta.main) {
  const strings = ["output", "main", "runtime", "arch", "deno", "libraries"];
  const { _: _rest, ...flags } = parseArgs(Deno.args, { string: strings });
  await compile(Flags.parse(flags));
}
