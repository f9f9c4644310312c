import type { Settings } from "../config/settings.ts";
import { Exit } from "../errors.ts";
import type { Start } from "../launch/guard.ts";
import { printed } from "../launch/print.ts";
import type { Logger } from "../log.ts";
import { findImage } from "./fetch.ts";
import { interruptible } from "./interrupt.ts";
import { print } from "./output.ts";
import { planFor } from "./plan_for.ts";

/** `run --dry-run`: prints what would run, and as whom. @returns the exit status */
export async function dryRun(
  settings: Settings,
  start: Start,
  log: Logger,
  json: boolean,
): Promise<number> {
  using interruption = interruptible();
  const { image } = await findImage(settings, start.env, log, interruption.signal);
  print(printed(planFor(settings, start, image, undefined), settings, json));
  return Exit.ok;
}
