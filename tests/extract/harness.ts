import type { Settings } from "../../src/config/settings.ts";
import { RunnerError } from "../../src/errors.ts";
import { extract, type Extracted, type ExtractOptions } from "../../src/extract/extract.ts";
import { resolveImage } from "../../src/image/resolve.ts";
import { createLogger } from "../../src/log.ts";
import { hostPlatform } from "../../src/reference/platform.ts";
import { storeFor } from "../../src/store/for_settings.ts";
import { type LayerInput, writeLayout } from "../registry/layout.ts";
import { testSettings } from "../registry/settings.ts";

/** What extracting an image came to; nothing is thrown for what the runner would tell its user. */
export interface Outcome {
  readonly extracted: Extracted | undefined;
  /** Undefined: it succeeded. */
  readonly error: RunnerError | undefined;
  readonly log: string;
}

export interface Attempt {
  /** Uncompressed tars, base layer first. */
  readonly layers: readonly (Uint8Array | LayerInput)[];
  readonly root: string;
  readonly settings?: Partial<Settings>;
  readonly owner?: ExtractOptions["owner"];
  readonly signal?: AbortSignal;
}

/** Makes an image of archives and extracts it with the product's own pipeline. */
export async function extractArchives(attempt: Attempt): Promise<Outcome> {
  const layout = await Deno.makeTempDir({ prefix: "layout-" });
  try {
    const layers = attempt.layers.map((layer) =>
      layer instanceof Uint8Array ? { tar: layer, level: 1 } : layer
    );
    await writeLayout(layout, { tag: "t", layers, config: { Cmd: ["/app/run"] } });
    return await extractLayout(layout, attempt);
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
}

/** Extracts the image tagged `t` of an OCI layout. */
export async function extractLayout(
  layout: string,
  attempt: Omit<Attempt, "layers">,
): Promise<Outcome> {
  let log = "";
  const logger = createLogger({ level: "debug", format: "text", write: (line) => log += line });
  const settings = testSettings({
    image: `oci:${layout}:t`,
    root: attempt.root,
    ...attempt.settings,
  });
  try {
    const store = await storeFor(settings, () => undefined, logger);
    const image = await resolveImage(store, {
      name: "test",
      platform: hostPlatform(),
      maxManifestSize: settings.maxManifestSize,
      maxConfigSize: settings.maxConfigSize,
    });
    const extracted = await extract({
      image,
      store,
      settings,
      owner: attempt.owner,
      log: logger,
      signal: attempt.signal ?? new AbortController().signal,
    });
    return { extracted, error: undefined, log };
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    return { extracted: undefined, error, log };
  }
}

/** Runs with a directory of its own, removed afterwards whatever modes it was left with. */
export async function withRoot<T>(run: (root: string) => Promise<T>): Promise<T> {
  const root = await Deno.makeTempDir({ prefix: "root-" });
  await Deno.chmod(root, 0o755);
  try {
    return await run(root);
  } finally {
    await new Deno.Command("chmod", { args: ["-R", "u+rwX", root] }).output();
    await Deno.remove(root, { recursive: true });
  }
}
