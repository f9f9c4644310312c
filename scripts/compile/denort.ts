import { type Bundle, WORKER_URL } from "./bundle.ts";
import { RESTORE_ENVIRONMENT } from "./boot.ts";

/**
 * What `deno compile` makes of the bundle: deno's smaller runtime with the program appended.
 *
 * @throws with its words, above all where its base binary, "denort", cannot be downloaded
 */
export async function denoCompile(bundle: Bundle): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    for (const { name, source } of bundle.chunks) {
      const path = `${folder}/bundle/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      const text = source.replaceAll(WORKER_URL, 'fastmcpRunner.workers["$1"]');
      await Deno.writeTextFile(path, text.replaceAll("import.meta.main", "true"));
    }
    const boot = `${folder}/bundle/boot.js`;
    await Deno.writeTextFile(boot, bootModule(bundle));
    const output = `${folder}/runtime`;
    const include = [...bundle.workers.values()].map((name) =>
      `--include=${folder}/bundle/${name}`
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ..."compile --quiet --allow-all --no-check --no-config --no-lock".split(" "),
        ...include,
        "--output",
        output,
        boot,
      ],
      env: { NO_COLOR: "1" },
      stderr: "piped",
    }).output();
    if (!success) throw new Error(causes(new TextDecoder().decode(stderr)));
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bootModule(bundle: Bundle): string {
  const workers = [...bundle.workers].map(([name, chunk]) =>
    `${JSON.stringify(name)}: new URL(${JSON.stringify(`./${chunk}`)}, import.meta.url).href`
  );
  return `${RESTORE_ENVIRONMENT}
globalThis.fastmcpRunner = { workers: { ${workers.join(", ")} }, codec };
await import(${JSON.stringify(`./${bundle.main}`)});
`;
}

/** The numbered causes of deno's error report in one line, the first being the action. */
function causes(stderr: string): string {
  const lines = [...stderr.matchAll(/^ +\d+: (.+)$/gm)].map(([, cause = ""]) => cause);
  return lines.slice(0, 2).join(" ") || stderr.trim();
}
