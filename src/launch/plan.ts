import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { ImageConfig } from "../image/types.ts";
import { commandOf, directoryOf, findProgram, mapArguments } from "./command.ts";
import { serverEnvironment } from "./environment.ts";
import { type Facts, under } from "./facts.ts";
import { mapInterpreter } from "./shebang.ts";
import type { ServerUser } from "./user.ts";

/** Whether the runner changes to the server's user or is it already. */
export type PlannedUser =
  | {
    readonly kind: "become";
    readonly uid: number;
    readonly gid: number;
    readonly groups: readonly number[];
  }
  | { readonly kind: "stay"; readonly uid: number; readonly gid: number };

/** A name that only the image's files can resolve, before they are extracted. */
export interface UnresolvedUser {
  readonly kind: "unresolved";
  readonly from: string;
}

/** Everything that decides what the process becomes; made by {@linkcode planExec} alone. */
export interface ExecPlan {
  /** Absolute, but for a dry run that could not find it yet. */
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: PlannedUser | UnresolvedUser;
  readonly umask: number;
  readonly warnings: readonly string[];
}

export interface PlanInput {
  readonly settings: Settings;
  readonly config: ImageConfig;
  /** The runner's own environment. */
  readonly outer: Readonly<Record<string, string>>;
  /** Undefined when the runner is not root: it stays who it is. */
  readonly user: ServerUser | UnresolvedUser | undefined;
  readonly self: { readonly uid: number; readonly gid: number };
  readonly facts: Facts;
  /**
   * Whether the image's files are on disk. Before that nothing can be told missing: what is not
   * found stays as the image has it, with a warning.
   */
  readonly extracted: boolean;
}

const UMASK = 0o022;

/**
 * The server's program, arguments, environment, directory and user (contract sections 3, 4, 7).
 *
 * @throws {RunnerError} 65 without a command, 126 and 127 for one that cannot be executed or found
 */
export function planExec(input: PlanInput): ExecPlan {
  const { settings, config, facts, extracted } = input;
  const { root } = settings;
  const warnings: string[] = [];

  const environment = serverEnvironment({
    settings,
    imageEnv: config.env,
    outer: input.outer,
    home: homeOf(root, input.user, facts),
  });
  warnings.push(...environment.warnings);

  let cwd = directoryOf(root, config.workingDir, facts);
  if (cwd === undefined) {
    const wanted = JSON.stringify(config.workingDir);
    if (extracted) {
      throw new RunnerError(
        Exit.notFound,
        `cannot enter the image's working directory ${wanted}: it is not there: is it outside ` +
          "the paths that are extracted? RUNNER_PATHS adds it",
      );
    }
    warnings.push(`the working directory ${wanted} is not on disk yet`);
    cwd = under(root, config.workingDir ?? "/");
  }

  let argv = mapArguments(root, commandOf(config, settings.args), facts);
  let file: string;
  try {
    file = findProgram(root, argv[0], environment.env["PATH"] ?? "", cwd, facts);
  } catch (error) {
    if (extracted || !(error instanceof RunnerError)) throw error;
    warnings.push(`the program "${argv[0]}" is not on disk yet`);
    file = argv[0];
  }
  // A program that looks for itself on PATH (a venv's python does) would find the host's.
  if (root !== "/" && file.startsWith(`${root}/`)) argv = [file, ...argv.slice(1)];
  return {
    ...mapInterpreter(root, file, argv, facts),
    env: environment.env,
    cwd,
    user: plannedUser(input),
    umask: UMASK,
    warnings,
  };
}

function plannedUser({ user, self }: PlanInput): PlannedUser | UnresolvedUser {
  if (user === undefined) return { kind: "stay", uid: self.uid, gid: self.gid };
  return "kind" in user
    ? user
    : { kind: "become", uid: user.uid, gid: user.gid, groups: user.groups };
}

/** The user's home where it exists; else a place that any user can write. */
function homeOf(root: string, user: PlanInput["user"], facts: Facts): string {
  const home = user === undefined || "kind" in user ? undefined : user.home;
  if (home === undefined || !home.startsWith("/")) return "/tmp";
  const places = [under(root, home), home];
  return places.find((place) => facts.stat(place)?.kind === "directory") ?? "/tmp";
}
