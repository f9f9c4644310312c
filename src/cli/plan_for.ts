import type { Settings } from "../config/settings.ts";
import type { ImageFiles } from "../extract/extract.ts";
import type { Image } from "../image/types.ts";
import { disk } from "../launch/facts.ts";
import type { Start } from "../launch/guard.ts";
import { type ExecPlan, planExec, type UnresolvedUser } from "../launch/plan.ts";
import { isNumeric, resolveUser, type ServerUser, userSpec } from "../launch/user.ts";

/** What would run, and as whom. @param files of the image; undefined before they are extracted */
export function planFor(
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
