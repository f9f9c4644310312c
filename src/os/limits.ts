import { errno, libc, SystemError } from "./libc.ts";

const c = libc({
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
});

/** A resource limit (getrlimit(2)); 2^64 - 1 is unlimited. */
export interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

const RESOURCE = { core: 4, nofile: 7 } as const;
export type Resource = keyof typeof RESOURCE;

const UNLIMITED = 2n ** 64n - 1n;

export function getLimit(resource: Resource): Limit {
  const pair = new BigUint64Array(2);
  if (c.getrlimit(RESOURCE[resource], pair) !== 0) throw new SystemError("getrlimit", errno[0]!);
  const [soft = 0n, hard = 0n] = pair;
  return { soft, hard };
}

export function setLimit(resource: Resource, limit: Limit): void {
  const pair = BigUint64Array.of(limit.soft, limit.hard);
  if (c.setrlimit(RESOURCE[resource], pair) !== 0) throw new SystemError("setrlimit", errno[0]!);
}

/** What a limit was before the runtime raised it; never above what is allowed now. */
export function asFound(found: string | undefined, now: Limit): Limit {
  const [soft, hard = now.hard] = (found ?? "").split(":").map(parse);
  if (soft === undefined || hard === undefined) return now;
  const most = hard < now.hard ? hard : now.hard;
  return { soft: soft < most ? soft : most, hard: most };
}

/** `soft:hard` of open files from the text of `/proc/PID/limits`. */
export function openFilesOf(limits: string): string | undefined {
  const match = /^Max open files +(\w+) +(\w+)/m.exec(limits);
  return match === null ? undefined : `${match[1]}:${match[2]}`;
}

function parse(text: string): bigint | undefined {
  if (text === "unlimited") return UNLIMITED;
  return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}
