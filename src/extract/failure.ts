import { ArchiveError } from "../archive/error.ts";
import { Exit, reason, RunnerError } from "../errors.ts";
import { Errno, SystemError } from "../os/libc.ts";
import { LimitError } from "./limits.ts";

/** What an archive's own names and links can make the kernel answer; anything else is the disk's. */
const ARCHIVES_FAULT: readonly number[] = [
  Errno.ENAMETOOLONG,
  Errno.ELOOP,
  Errno.EINVAL,
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EMLINK,
];

const ADVICE: Readonly<Record<number, string>> = {
  [Errno.ENOSPC]: "free space or point RUNNER_ROOT at a larger file system",
  [Errno.EDQUOT]: "raise the quota or point RUNNER_ROOT elsewhere",
  [Errno.EMFILE]: "raise the limit of open files (ulimit -n)",
  [Errno.EROFS]: "point RUNNER_ROOT at a writable directory",
  [Errno.EACCES]: "point RUNNER_ROOT at a directory of yours, or own it in the Dockerfile",
  [Errno.EPERM]: "point RUNNER_ROOT at a directory of yours, or own it in the Dockerfile",
};

/**
 * The one line for whatever stopped an extraction: 65 when the archive is at fault, 73 when
 * something cannot be written; a {@linkcode RunnerError} stays as it is.
 *
 * @param action what failed and on what, as `Cannot unpack layer "sha256:…"`
 */
export function extractionError(action: string, error: unknown): unknown {
  if (error instanceof RunnerError) return error;
  const cause = { cause: error };
  if (error instanceof ArchiveError || error instanceof LimitError) {
    return new RunnerError(Exit.data, `${action}: ${error.message}`, cause);
  }
  if (error instanceof SystemError) {
    if (ARCHIVES_FAULT.includes(error.errno)) {
      return new RunnerError(Exit.data, `${action}: ${error.message}`, cause);
    }
    const advice = ADVICE[error.errno];
    const text = `${action}: ${error.message}${advice === undefined ? "" : `; ${advice}`}`;
    return new RunnerError(Exit.cannotWrite, text, cause);
  }
  return new Error(`${action}: ${reason(error)}`, cause);
}
