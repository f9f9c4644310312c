import type { Settings } from "../config/settings.ts";
import type { Env } from "../config/parse.ts";
import { Exit, RunnerError } from "../errors.ts";
import { extract } from "../extract/extract.ts";
import { resolveImage } from "../image/resolve.ts";
import type { Image } from "../image/types.ts";
import { disk } from "../launch/facts.ts";
import {
  checkImageWritable,
  checkWritable,
  openRoot,
  type Preflight,
} from "../launch/preflight.ts";
import { type ImageFiles, type Owner, ownerOf, userSpec } from "../launch/user.ts";
import type { Logger } from "../log.ts";
import { formatPlatform, hostPlatform } from "../reference/platform.ts";
import { storeFor } from "../store/open.ts";
import type { ImageStore } from "../store/store.ts";

/** An image whose documents are known, and where its layers come from. */
export interface Found {
  readonly image: Image;
  readonly store: ImageStore;
}

/** Resolves what `IMAGE` names: manifest and config, no layer. */
export async function findImage(
  settings: Settings,
  env: Env,
  log: Logger,
  signal: AbortSignal,
): Promise<Found> {
  const name = settings.image;
  if (name === undefined) throw new RunnerError(Exit.settings, "IMAGE is not set");
  const store = await storeFor(settings, (variable) => env[variable], log, signal);
  const image = await resolveImage(store, {
    name,
    platform: settings.platform ?? hostPlatform(),
    maxManifestSize: settings.maxManifestSize,
    maxConfigSize: settings.maxConfigSize,
  });
  log.info(`found ${name}`, {
    digest: image.digest,
    platform: formatPlatform(image.platform),
    layers: image.layers.length,
    bytes: image.layers.reduce((sum, { blob }) => sum + blob.size, 0),
  });
  return { image, store };
}

/** Everything from the settings to files under the root; what cannot work is said before a layer. */
export async function fetchTree(
  settings: Settings,
  env: Env,
  log: Logger,
  signal: AbortSignal,
): Promise<{ readonly image: Image; readonly files: ImageFiles }> {
  const uid = Deno.uid() ?? 0;
  const check = { settings, facts: disk, uid, log };
  // What can be told without the image is told before the registry is asked.
  const unwritable = checkWritable(check);
  if (uid === 0) checkUser(settings, check, undefined);
  const { image, store } = await findImage(settings, env, log, signal);
  checkImageWritable(check, image.config, unwritable);
  const owner = uid === 0 ? checkUser(settings, check, image) : undefined;
  const { imageFiles } = await extract({ image, store, settings, owner, log, signal });
  return { image, files: imageFiles };
}

/** Whom the files will belong to; where that is known by number, root must let that user in. */
function checkUser(settings: Settings, check: Preflight, image: Image | undefined): Owner {
  if (image === undefined && settings.user === "image") return undefined;
  const owner = ownerOf(userSpec(settings.user, image?.config.user), settings.allowRoot);
  if (typeof owner === "object") openRoot(check, owner);
  return owner;
}
