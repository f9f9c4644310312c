/**
 * `deno task bench`: times this runner against what else gets an image's files into a directory,
 * and against a floor of nothing but decompressing and writing (docs/benchmarks.md).
 */
import { CONTENDERS, environment, missing } from "./bench/contenders.ts";
import { writeIntoDocs } from "./bench/docs.ts";
import { type BenchImage, makeImage, TAG } from "./bench/images.ts";
import { describeMachine } from "./bench/machine.ts";
import { type Cost, measure } from "./bench/measure.ts";
import { type Options, parseOptions, USAGE } from "./bench/options.ts";
import { type BenchRegistry, serve } from "./bench/registry.ts";
import { type Report, toMarkdown } from "./bench/report.ts";
import { prepareRunner } from "./bench/runner.ts";
import { type ImageResult, summarise } from "./bench/statistics.ts";
import { readTree, requireEqual } from "./bench/tree.ts";

if (import.meta.main) {
  if (Deno.args.includes("--help")) {
    console.log(USAGE);
    Deno.exit();
  }
  let options: Options;
  try {
    options = parseOptions(Deno.args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(64);
  }
  const interruption = new AbortController();
  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => interruption.abort(exit));
  }
  try {
    await bench(options, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    Deno.exit(interruption.signal.reason);
  }
  Deno.exit();
}

/** @param signal ends it, once the image that is being made is made */
async function bench(options: Options, signal: AbortSignal): Promise<void> {
  const dir = await Deno.makeTempDir({ dir: options.dir, prefix: "fastmcp-runner-bench-" });
  // The registry's storage too.
  Deno.env.set("TMPDIR", dir);
  let registry: BenchRegistry | undefined;
  try {
    await Deno.chmod(dir, 0o755);
    const runner = await prepareRunner(dir);
    const results: ImageResult[] = [];
    let registryName = "";
    for (const name of options.images) {
      console.error(`making the image "${name}"`);
      const image = await makeImage(name, dir, options.scale);
      signal.throwIfAborted();
      registry = await serve([image]);
      registryName = registry.name;
      results.push(await compare(image, registry, dir, options, signal));
      await registry.stop();
      registry = undefined;
      await Deno.remove(image.layout, { recursive: true });
    }
    const selected = CONTENDERS.filter(({ name }) => options.contenders.includes(name));
    const report: Report = {
      date: new Date().toISOString().slice(0, 10),
      scale: options.scale,
      runner,
      registry: registryName,
      machine: await describeMachine(dir),
      results,
      leftOut: Object.fromEntries(
        selected.map((contender) => [contender.name, missing(contender)] as const)
          .filter(([, lacking]) => lacking.length > 0),
      ),
    };
    console.log(toMarkdown(report));
    if (options.json !== undefined) {
      await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
    }
    if (options.docs) await writeIntoDocs(report);
  } finally {
    await registry?.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

/** Every contender once a round, so that whatever else the machine does meets them all. */
async function compare(
  image: BenchImage,
  registry: BenchRegistry,
  dir: string,
  options: Options,
  signal: AbortSignal,
): Promise<ImageResult> {
  const measured = CONTENDERS
    .filter(({ name }) => options.contenders.includes(name))
    .filter((contender) => missing(contender).length === 0)
    .map((contender) => ({ contender, costs: [] as Cost[] }));
  const reference = `${registry.host}/${image.repository}:${TAG}`;
  for (let round = 1; round <= options.runs; round++) {
    for (const { contender, costs } of measured) {
      const place = { image, reference, dir: `${dir}/run` };
      await Deno.mkdir(place.dir);
      await Deno.mkdir(`${place.dir}/root`);
      const cost = await measure(contender.command(place), environment(), signal);
      const tree = await readTree(`${place.dir}/${contender.tree}`);
      requireEqual(contender.name, tree, image.expected);
      await Deno.remove(place.dir, { recursive: true });
      costs.push(cost);
      const { wall, peak } = cost;
      const figures = `${wall.toFixed(0)} ms, ${(peak / 1e6).toFixed(0)} MB`;
      console.error(`${image.name}, round ${round}, ${contender.name}: ${figures}`);
    }
  }
  return summarise(image, measured);
}
