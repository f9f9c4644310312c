import { asFound, getLimit, type Limit, openFilesOf, setLimit } from "../os/limits.ts";
import { scheduleNormally, setDumpable } from "../os/process.ts";
import { wipeVariables } from "../os/secrets.ts";

/** Set by the packed executable's launcher, which runs before the runtime raises the limit. */
const NOFILE_VARIABLE = "FASTMCP_RUNNER_NOFILE";

/** Set by the launcher if it has made a batch job of this thread, from which others took that. */
const BATCH_VARIABLE = "FASTMCP_RUNNER_BATCH";

/** The process as it was started, before anything was changed for its protection. */
export interface Start {
  /** The whole environment; what is secret in it is from now on only here. */
  readonly env: Readonly<Record<string, string>>;
  /** The limits to give the server. */
  readonly openFiles: Limit;
  readonly core: Limit;
}

/**
 * Closes the process to others of its own user: no core dump, no ptrace, and no secret in
 * `/proc/PID/environ`. The first thing a command that may hold secrets does.
 */
export function guardProcess(): Start {
  const env = Deno.env.toObject();
  const core = getLimit("core");
  setLimit("core", { soft: 0n, hard: core.hard });
  setDumpable(false);
  wipeVariables(isSecret);
  const { [NOFILE_VARIABLE]: told, [BATCH_VARIABLE]: isBatch, ...rest } = env;
  Deno.env.delete(NOFILE_VARIABLE);
  Deno.env.delete(BATCH_VARIABLE);
  if (isBatch !== undefined) scheduleNormally();
  const openFiles = asFound(told ?? parentOpenFiles(), getLimit("nofile"));
  return { env: rest, openFiles, core };
}

/** Gives the limits back that {@linkcode guardProcess} and the runtime changed. */
export function restoreLimits({ core, openFiles }: Start): void {
  setLimit("core", core);
  setLimit("nofile", openFiles);
}

/** What the server is to have is a secret until it has it. */
function isSecret(name: string): boolean {
  return name === "REGISTRY_PASSWORD" || name === "DOCKER_AUTH_CONFIG" ||
    name.startsWith("MCP_ENV_");
}

/** A limit is inherited, so the parent's is ours from before the runtime raised it. */
function parentOpenFiles(): string | undefined {
  try {
    return openFilesOf(Deno.readTextFileSync(`/proc/${Deno.ppid}/limits`));
  } catch {
    // No /proc, or no parent within it (PID 1): the limit stays as it is now.
    return undefined;
  }
}
