import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { parseImageSource } from "../reference/source.ts";
import type { Environment } from "../registry/auth/credentials.ts";
import { registrySpec } from "../registry/open.ts";
import { openStore } from "./open.ts";
import type { ImageStore, StoreSpec } from "./store.ts";

export type { Environment };

/**
 * The store of the image that the settings name, with the credentials that belong to it (contract
 * section 6). Throws {@linkcode RunnerError} 64 for an image name or credentials that cannot be read.
 */
export async function storeFor(
  settings: Settings,
  env: Environment,
  log: Logger,
  signal?: AbortSignal,
): Promise<ImageStore> {
  if (settings.image === undefined) {
    throw new RunnerError(Exit.settings, "IMAGE is not set: name the image to run");
  }
  const source = parseImageSource(settings.image);
  const { maxManifestSize } = settings;
  const spec: StoreSpec = source.kind === "registry"
    ? await registrySpec(source.reference, settings, env, log)
    : { ...source, maxManifestSize };
  return await openStore(spec, log, signal);
}
