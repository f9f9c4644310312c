import type { Settings } from "../config/settings.ts";
import type { Env } from "../config/parse.ts";
import { Exit, RunnerError } from "../errors.ts";
import { extract, type ImageFiles } from "../extract/extract.ts";
import type { LayerPool } from "../extract/layer_pool.ts";
import { resolveImage } from "../image/resolve.ts";
import type { Image } from "../image/types.ts";
import { disk } from "../launch/facts.ts";
import {
  checkImageWritable,
  checkReach,
  checkWritable,
  type Preflight,
} from "../launch/preflight.ts";
import { type Owner, ownerOf, userSpec } from "../launch/user.ts";
import type { Logger } from "../log.ts";
import { formatPlatform, hostPlatform } from "../reference/platform.ts";
import { makeRoot } from "./root.ts";
import { storeFor } from "../store/for_settings.ts";
import type { ImageStore } from "../store/store.ts";

/** An image whose documents are known, and where its layers come from. */
export interface Found {
  readonly image: Image;
  readonly store: ImageStore;
}

/**
 * Resolves what `IMAGE` names: manifest and config.
 *
 * @param pool asks for the first layers meanwhile, if they are wanted
 */
export async function findImage(
  settings: Settings,
  env: Env,
  log: Logger,
  signal: AbortSignal,
  pool?: LayerPool,
): Promise<Found> {
  const name = settings.image;
  if (name === undefined) throw new RunnerError(Exit.settings, "IMAGE is not set");
  const store = await storeFor(settings, (variable) => env[variable], log, signal);
  const image = await resolveImage(store, {
    name,
    platform: settings.platform ?? hostPlatform(),
    maxManifestSize: settings.maxManifestSize,
    maxConfigSize: settings.maxConfigSize,
    onLayers: (blobs) => pool?.ahead(store, blobs),
  });
  log.info(`found ${name}`, {
    digest: image.digest,
    platform: formatPlatform(image.platform),
    layers: image.layers.length,
    bytes: image.layers.reduce((sum, { blob }) => sum + blob.size, 0),
  });
  return { image, store };
}

/** An image that, as far as can be told without its layers, will be extracted. */
export interface Prepared extends Found {
  readonly owner: Owner;
}

/**
 * Finds the image and makes the checks that need none of its layers: who may write, where, and whom
 * the files will belong to.
 *
 * @throws {RunnerError} 64 and 73 for what could only fail later, besides those of the registry
 */
export async function prepare(
  settings: Settings,
  env: Env,
  pool: LayerPool,
  log: Logger,
  signal: AbortSignal,
): Promise<Prepared> {
  const uid = Deno.uid() ?? 0;
  const check = { settings, facts: disk, uid, log };
  // What can be told without the image is told before the registry is asked.
  const unwritable = checkWritable(check);
  if (uid === 0) checkUser(settings, check, undefined);
  const { image, store } = await findImage(settings, env, log, signal, pool);
  checkImageWritable(check, image.config, unwritable);
  return { image, store, owner: uid === 0 ? checkUser(settings, check, image) : undefined };
}

/** The image's allowed files, under the root. @returns the image's own passwd and group */
export async function fetchTree(
  { image, store, owner }: Prepared,
  pool: LayerPool,
  settings: Settings,
  log: Logger,
  signal: AbortSignal,
): Promise<ImageFiles> {
  const unmakeRoot = makeRoot(settings.root);
  try {
    const { imageFiles } = await extract({ image, store, pool, settings, owner, log, signal });
    return imageFiles;
  } catch (error) {
    unmakeRoot();
    throw error;
  } finally {
    // The last blob has been fetched, or never will be: nothing needs the login any more.
    store.close();
  }
}

/** Whom the files will belong to; where that is known by number, that user must be let in. */
function checkUser(settings: Settings, check: Preflight, image: Image | undefined): Owner {
  if (image === undefined && settings.user === "image") return undefined;
  const owner = ownerOf(userSpec(settings.user, image?.config.user), settings.allowRoot);
  if (typeof owner === "object") checkReach(check, owner);
  return owner;
}
