import { Exit, type ExitStatus, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Errno, SystemError } from "../os/libc.ts";
import {
  changeDirectory,
  clearCapabilities,
  closeDescriptorsOnExec,
  dropBoundingSet,
  execve,
  LOCKED_SECUREBITS,
  lockSecurebits,
  resetSignals,
  securebits,
  setGid,
  setGroups,
  setNoNewPrivs,
  setUid,
  threadStatus,
} from "../os/process.ts";
import { restoreLimits, type Start } from "./guard.ts";
import type { ExecPlan } from "./plan.ts";
import { brokenPromises } from "./recheck.ts";

/**
 * Drops every privilege and becomes the server, in this very process (contract section 7). All of it
 * happens synchronously on one thread, since capabilities and `no_new_privs` are a thread's own and
 * the thread that execs is the one that remains.
 *
 * @param sinceMs when the image's last byte was on disk, by `performance.now()`: for the debug log
 * @throws {RunnerError} 126 (127 where the program is gone) for the first step that fails; nothing
 * has been started then, and the process must end, for it may have lost its privileges
 */
export function becomeServer(plan: ExecPlan, start: Start, log: Logger, sinceMs: number): never {
  const { user } = plan;
  if (user.kind === "unresolved") throw new TypeError("a dry run's plan is not to be executed");
  let locked = false;
  if (user.kind === "become") {
    step("set the groups", () => setGroups(user.groups));
    locked = lockPrivileges(log);
    step(`become group ${user.gid}`, () => setGid(user.gid));
    step(`become user ${user.uid}`, () => setUid(user.uid));
  }
  step("drop the capabilities", clearCapabilities);
  step("set no_new_privs", setNoNewPrivs);
  step("enter the working directory", () => changeDirectory(plan.cwd));
  Deno.umask(plan.umask);
  step("restore the resource limits", () => restoreLimits(start));
  step("close the descriptors", closeDescriptorsOnExec);
  step("reset the signals", resetSignals);

  const broken = step(
    "check the privileges (is /proc mounted?)",
    () => brokenPromises(threadStatus(), { user, umask: plan.umask, boundingSetEmpty: locked }),
  );
  if (locked && securebits() !== LOCKED_SECUREBITS) broken.push("the securebits are not locked");
  if (broken.length > 0) {
    throw new RunnerError(
      Exit.notExecutable,
      `refused to start the server: its privileges are not as promised: ${broken.join("; ")}`,
    );
  }
  const ms = performance.now() - sinceMs;
  log.debug("calling execve", { afterLastByteMs: Math.round(ms * 10) / 10 });
  try {
    execve(plan.file, plan.argv, plan.env);
  } catch (error) {
    throw execFailure(plan.file, error);
  }
}

/**
 * The bounding set emptied and the securebits locked, which both need CAP_SETPCAP. Without it
 * `no_new_privs` still keeps every program from gaining what is in the bounding set.
 */
function lockPrivileges(log: Logger): boolean {
  try {
    dropBoundingSet();
    lockSecurebits();
    return true;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EPERM) throw refused("", error);
    log.warn(
      "the container lacks CAP_SETPCAP: the capability bounding set stays as it is; " +
        "no_new_privs keeps the server from using it",
    );
    return false;
  }
}

function step<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refused(what, error);
  }
}

function refused(what: string, error: unknown): RunnerError {
  const lacks = error instanceof SystemError && error.errno === Errno.EPERM
    ? ": does the container lack CAP_SETUID or CAP_SETGID?"
    : "";
  const why = error instanceof Error ? error.message : String(error);
  return new RunnerError(
    Exit.notExecutable,
    `could not ${what || "lock the privileges"} before starting the server: ${why}${lacks}`,
    { cause: error },
  );
}

const EXEC_FAILURES: Readonly<Record<number, readonly [ExitStatus, string]>> = {
  [Errno.ENOENT]: [Exit.notFound, "it, or the interpreter it names, is not there"],
  [Errno.EACCES]: [Exit.notExecutable, "the server's user may not execute it"],
  [Errno.ENOEXEC]: [Exit.notExecutable, "it is neither an ELF program nor a script with a #! line"],
  [7]: [Exit.notExecutable, "its arguments and environment are too large"],
};

function execFailure(file: string, error: unknown): RunnerError {
  const [exit, why] = (error instanceof SystemError ? EXEC_FAILURES[error.errno] : undefined) ??
    [Exit.notExecutable, error instanceof Error ? error.message : String(error)];
  return new RunnerError(exit, `cannot start "${file}": ${why}`, { cause: error });
}
