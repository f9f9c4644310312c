import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { LayerPool } from "../extract/layer_pool.ts";
import { becomeServer } from "../launch/become.ts";
import { diagnose } from "../launch/diagnose.ts";
import { disk } from "../launch/facts.ts";
import type { Start } from "../launch/guard.ts";
import type { ExecPlan } from "../launch/plan.ts";
import { checkCapabilities, checkReach, openRoot } from "../launch/preflight.ts";
import type { Logger } from "../log.ts";
import { threadStatus } from "../os/process.ts";
import { fetchTree, prepare } from "./fetch.ts";
import { interruptible } from "./interrupt.ts";
import { planFor } from "./plan_for.ts";

/** `run`: pulls, extracts and becomes the server. */
export async function run(
  settings: Settings,
  start: Start,
  pool: LayerPool,
  log: Logger,
): Promise<never> {
  using interruption = interruptible();
  const { signal } = interruption;
  checkPrivileges();
  const prepared = await prepare(settings, start.env, pool, log, signal);
  const { image } = prepared;
  // An image that cannot be run is refused before its layers are read, as far as that can be told.
  planFor(settings, start, image, undefined);
  const files = await fetchTree(prepared, pool, settings, log, signal);
  const extracted = performance.now();
  const plan = planFor(settings, start, image, files);
  for (const warning of plan.warnings) log.warn(warning);
  diagnose(plan, disk);
  if (plan.user.kind === "become") {
    const check = { settings, facts: disk, uid: 0, log };
    checkReach(check, plan.user);
    openRoot(check, plan.user);
  }
  // A signal that came while the last steps ran without a pause is still to be heard.
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
  // Not the arguments: they may hold what the server alone should know.
  log.info(`starting ${plan.file}`, { user: userText(plan), cwd: plan.cwd });
  return becomeServer(plan, start, log, extracted);
}

/** What would stop the server from being started, whatever the image. @throws {RunnerError} 64 */
function checkPrivileges(): void {
  let status: string;
  try {
    status = threadStatus();
  } catch (cause) {
    throw new RunnerError(
      Exit.settings,
      "cannot read /proc/thread-self/status, without which no server is started, since its " +
        "privileges could not be checked: mount /proc",
      { cause },
    );
  }
  if (Deno.uid() === 0) checkCapabilities(status);
}

function userText({ user }: ExecPlan): string {
  return user.kind === "unresolved" ? user.from : `${user.uid}:${user.gid}`;
}
