import type { PlannedUser } from "./plan.ts";

/** What the kernel must say of the thread that is about to exec. */
export interface Promised {
  readonly user: PlannedUser;
  readonly umask: number;
  /** False where the container lacks CAP_SETPCAP, or the runner is not root. */
  readonly boundingSetEmpty: boolean;
}

/**
 * Compares `/proc/thread-self/status` with what was promised (contract section 7).
 *
 * @returns a line for each promise that is broken or not told
 */
export function brokenPromises(status: string, promised: Promised): string[] {
  const fields = new Map(
    status.split("\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trim().split(/\s+/).join(" ")];
    }),
  );
  const { user } = promised;
  const expected: Record<string, string> = {
    Uid: Array(4).fill(user.uid).join(" "),
    Gid: Array(4).fill(user.gid).join(" "),
    NoNewPrivs: "1",
    SigBlk: NONE,
    SigIgn: NONE,
    CapInh: NONE,
    CapPrm: NONE,
    CapEff: NONE,
    CapAmb: NONE,
    Umask: promised.umask.toString(8).padStart(4, "0"),
  };
  if (user.kind === "become") {
    // The kernel lists groups in ascending order.
    expected["Groups"] = [...new Set(user.groups)].sort((a, b) => a - b).join(" ");
  }
  if (promised.boundingSetEmpty) expected["CapBnd"] = NONE;
  return Object.entries(expected).flatMap(([name, wanted]) => {
    const got = fields.get(name);
    return got === wanted ? [] : [`${name} is ${got ?? "not told"} instead of ${wanted}`];
  });
}

/** An empty set, as 64 bits in hexadecimal. */
const NONE = "0".repeat(16);
