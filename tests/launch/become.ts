/**
 * `become.ts CONFIG`: everything the runner does but for the pull: settings from the environment,
 * plan, diagnosis, privileges, exec. CONFIG is the JSON of an image config whose files are on disk.
 */
import * as z from "zod";
import { parseSettings } from "../../src/config/parse.ts";
import { RunnerError } from "../../src/errors.ts";
import { becomeServer } from "../../src/launch/become.ts";
import { diagnose } from "../../src/launch/diagnose.ts";
import { disk } from "../../src/launch/facts.ts";
import { guardProcess } from "../../src/launch/guard.ts";
import { planExec } from "../../src/launch/plan.ts";
import { resolveUser, userSpec } from "../../src/launch/user.ts";
import { createLogger } from "../../src/log.ts";

const Config = z.object({
  env: z.array(z.string()).default([]),
  entrypoint: z.array(z.string()).default([]),
  cmd: z.array(z.string()).default([]),
  workingDir: z.string().optional(),
  user: z.string().optional(),
});

const start = guardProcess();
const log = createLogger({ level: "debug", format: "text" });
try {
  const parsed = Config.parse(JSON.parse(Deno.args[0] ?? "{}"));
  const config = { ...parsed, workingDir: parsed.workingDir, user: parsed.user };
  const settings = parseSettings({ values: {} }, start.env, ["port"]);
  const bytes = (path: string) => disk.read(`${settings.root}${path}`, 65_536);
  const files = { passwd: bytes("/etc/passwd"), group: bytes("/etc/group") };
  const user = Deno.uid() === 0
    ? resolveUser(userSpec(settings.user, config.user), files, settings.allowRoot)
    : undefined;
  const plan = planExec({
    settings,
    config,
    outer: start.env,
    user,
    self: { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 },
    facts: disk,
    extracted: true,
  });
  for (const warning of plan.warnings) log.warn(warning);
  diagnose(plan, disk);
  becomeServer(plan, start, log, performance.now());
} catch (error) {
  if (!(error instanceof RunnerError)) throw error;
  log.error(error.message);
  Deno.exit(error.exit);
}
