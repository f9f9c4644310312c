import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { ImageFiles } from "../extract/extract.ts";
import { LayerPool } from "../extract/layer_pool.ts";
import type { Image } from "../image/types.ts";
import { becomeServer } from "../launch/become.ts";
import { diagnose } from "../launch/diagnose.ts";
import { disk } from "../launch/facts.ts";
import type { Start } from "../launch/guard.ts";
import { type ExecPlan, planExec, type UnresolvedUser } from "../launch/plan.ts";
import { checkCapabilities, checkReach, openRoot } from "../launch/preflight.ts";
import { printed } from "../launch/print.ts";
import { isNumeric, resolveUser, type ServerUser, userSpec } from "../launch/user.ts";
import type { Logger } from "../log.ts";
import { threadStatus } from "../os/process.ts";
import { fetchTree, findImage, prepare } from "./fetch.ts";
import { interruptible } from "./interrupt.ts";
import { print } from "./output.ts";

export interface RunSwitches {
  /** Print the plan; extract and start nothing. */
  readonly dryRun: boolean;
  /** With `dryRun`: as JSON. */
  readonly json: boolean;
}

/**
 * `run`: pulls, extracts and becomes the server. Returns only for a dry run.
 *
 * @returns the exit status
 */
export async function run(
  settings: Settings,
  start: Start,
  log: Logger,
  { dryRun, json }: RunSwitches,
): Promise<number> {
  using interruption = interruptible();
  const { signal } = interruption;
  if (dryRun) {
    const { image } = await findImage(settings, start.env, log, signal);
    const plan = planFor(settings, start, image, undefined);
    print(printed(plan, settings, json));
    return Exit.ok;
  }
  checkPrivileges();
  const preparing = prepare(settings, start.env, log, signal);
  // Started while the registry's first answer is on its way.
  using pool = new LayerPool(log);
  const prepared = await preparing;
  const { image } = prepared;
  // An image that cannot be run is refused before its layers are fetched, as far as that can be told.
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

/** @param files of the image; undefined before they are extracted */
function planFor(
  settings: Settings,
  start: Start,
  image: Image,
  files: ImageFiles | undefined,
): ExecPlan {
  return planExec({
    settings,
    config: image.config,
    outer: start.env,
    user: userFor(settings, image, files),
    self: { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 },
    facts: disk,
    extracted: files !== undefined,
  });
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

/** @returns undefined when the runner is not root, and so stays who it is */
function userFor(
  settings: Settings,
  image: Image,
  files: ImageFiles | undefined,
): ServerUser | UnresolvedUser | undefined {
  if (Deno.uid() !== 0) return undefined;
  const spec = userSpec(settings.user, image.config.user);
  if (files === undefined && !isNumeric(spec)) return { kind: "unresolved", from: spec.from };
  const none = { passwd: undefined, group: undefined };
  return resolveUser(spec, files ?? none, settings.allowRoot);
}

function userText({ user }: ExecPlan): string {
  return user.kind === "unresolved" ? user.from : `${user.uid}:${user.gid}`;
}
