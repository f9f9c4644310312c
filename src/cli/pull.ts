import type { Settings } from "../config/settings.ts";
import { Exit } from "../errors.ts";
import { LayerPool } from "../extract/layer_pool.ts";
import type { Start } from "../launch/guard.ts";
import type { Logger } from "../log.ts";
import { fetchTree, prepare } from "./fetch.ts";
import { interruptible } from "./interrupt.ts";

/** `pull`: the image's files under the root, and nothing started. @returns the exit status */
export async function pull(settings: Settings, start: Start, log: Logger): Promise<number> {
  using interruption = interruptible();
  const { signal } = interruption;
  const preparing = prepare(settings, start.env, log, signal);
  // Started while the registry's first answer is on its way.
  using pool = new LayerPool(log);
  await fetchTree(await preparing, pool, settings, log, signal);
  return Exit.ok;
}
