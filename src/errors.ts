/** Exit statuses of contract section 1 that the runner itself gives. */
export const Exit = {
  ok: 0,
  settings: 64,
  data: 65,
  unavailable: 69,
  cannotWrite: 73,
  auth: 77,
  notExecutable: 126,
  notFound: 127,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitStatus = (typeof Exit)[keyof typeof Exit];

/**
 * A failure the user is told about in one line (contract section 1).
 *
 * The message names the action that failed, on what (quoted), then the reason after a colon, and
 * what to do. It never holds a secret. Several violations of one kind are one error whose message
 * has a line each.
 */
export class RunnerError extends Error {
  /** The process's exit status. */
  readonly exit: ExitStatus;

  constructor(exit: ExitStatus, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RunnerError";
    this.exit = exit;
  }
}

/** The text of anything thrown, for the part of a message after the colon. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
