import type { Settings } from "../config/settings.ts";
import { Exit } from "../errors.ts";
import type { LayerPool } from "../extract/layer_pool.ts";
import type { Start } from "../launch/guard.ts";
import type { Logger } from "../log.ts";
import { fetchTree, prepare } from "./fetch.ts";
import { interruptible } from "./interrupt.ts";

/** `pull`: the image's files under the root, and nothing started. @returns the exit status */
export async function pull(
  settings: Settings,
  start: Start,
  pool: LayerPool,
  log: Logger,
): Promise<number> {
  using interruption = interruptible();
  const { signal } = interruption;
  const prepared = await prepare(settings, start.env, pool, log, signal);
  await fetchTree(prepared, pool, settings, log, signal);
  return Exit.ok;
}
