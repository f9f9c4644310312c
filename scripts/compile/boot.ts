import type { Bundle } from "./bundle.ts";
import type { Extent } from "./layout.ts";
import { builtinsOf, type ChunkScript } from "./script.ts";

/**
 * Undoes in the program's environment what the launcher did for the runtime (helper/hidden.c), but
 * for what the runtime reads at any later time.
 */
export const RESTORE_ENVIRONMENT = `const { env } = Deno;
const image = env.get("FASTMCP_RUNNER_IMAGE");
const codec = env.get("FASTMCP_RUNNER_CODEC");
env.delete("FASTMCP_RUNNER_IMAGE");
env.delete("FASTMCP_RUNNER_CODEC");
env.delete("HOME");
for (const [name, value] of Object.entries(env.toObject())) {
  if (name >= " ") continue;
  env.delete(name);
  const real = String.fromCharCode(name.charCodeAt(0) | 0x40) + name.slice(1);
  if (
    !/^(FASTMCP_RUNNER_|DENO_|OTEL_DENO|SSLKEYLOGFILE)/.test(real) &&
    !/^NODE_(CHANNEL|DEBUG|EXTRA|TLS|UNIQUE|USE|V8)/.test(real)
  ) {
    env.set(real, value);
  }
}`;

/**
 * The runtime's main module: small, since it is compiled at every start. It reads the program's
 * chunks out of the executable's own memory, when they are needed, and evaluates them.
 *
 * @param extents where each script is in the image
 */
export function bootScript(
  bundle: Bundle,
  scripts: readonly ChunkScript[],
  extents: readonly Extent[],
): string {
  const chunks = Object.fromEntries(scripts.map(({ name }, i) => [
    name,
    [extents[i]?.at, extents[i]?.size, builtinsOf(scripts, name)],
  ]));
  return `${RESTORE_ENVIRONMENT}
const chunks = ${JSON.stringify(chunks)};
const start = ${LOADER};
const worker = (entry) =>
  "data:application/javascript," +
  encodeURIComponent(\`(\${start})("\${image}", \${JSON.stringify(chunks)}, "\${entry}")\`);
const urls = ${JSON.stringify(Object.fromEntries(bundle.workers))};
globalThis.fastmcpRunner = { workers: {}, codec };
for (const name in urls) {
  Object.defineProperty(fastmcpRunner.workers, name, { get: () => worker(urls[name]) });
}
start(image, chunks, ${JSON.stringify(bundle.main)});
`;
}

/**
 * Evaluates an entry and what it needs. A chunk's runtime modules are imported before it, so that
 * it can be evaluated in one go; an indirect eval makes a classic script of it.
 */
const LOADER = `(image, chunks, entry) => {
  const decoder = new TextDecoder();
  const loaded = {};
  const builtin = {};
  const load = (name) => {
    if (!(name in loaded)) {
      const [at, size] = chunks[name];
      const pointer = Deno.UnsafePointer.create(BigInt(image) + BigInt(at));
      const bytes = new Deno.UnsafePointerView(pointer).getArrayBuffer(size);
      const source = "(" + decoder.decode(bytes) + ")\\n//# sourceURL=fastmcp-runner:" + name;
      loaded[name] = (0, eval)(source)(load, later, builtin);
    }
    return loaded[name];
  };
  const later = async (name) => {
    for (const module of chunks[name][2]) builtin[module] ??= await import(module);
    return load(name);
  };
  return later(entry);
}`;
