import { Errno, errno, libc, SystemError } from "./libc.ts";

const c = libc({
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  capset: { parameters: ["buffer", "buffer"], result: "i32" },
  sigprocmask: { parameters: ["i32", "buffer", "pointer"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  chdir: { parameters: ["buffer"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
});
const { syscall: closeRange } = libc({
  syscall: { parameters: ["i64", "u32", "u32", "u32"], result: "i64" },
});
const { syscall: rtSigaction } = libc({
  syscall: { parameters: ["i64", "i32", "buffer", "pointer", "usize"], result: "i64" },
});

/** The machines there are builds for: x86-64 and arm64 number these calls differently. */
const SYS_RT_SIGACTION = Deno.build.arch === "x86_64" ? 13n : 134n;
const SYS_CLOSE_RANGE = 436n;
const CLOSE_RANGE_CLOEXEC = 4;

const PR = {
  setDumpable: 4,
  capbsetDrop: 24,
  getSecurebits: 27,
  setSecurebits: 28,
  setNoNewPrivs: 38,
  capAmbient: 47,
} as const;
const PR_CAP_AMBIENT_CLEAR_ALL = 4n;

/**
 * capabilities(7): uid 0 means nothing, a change of uid means nothing, capabilities are not kept and
 * not raised; each locked, so for every descendant too.
 */
export const LOCKED_SECUREBITS = 0xef;

/** Capabilities have numbers below 64, and those the kernel does not know end the list. */
const CAPABILITY_LIMIT = 64;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const SIG_SETMASK = 2;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const LAST_SIGNAL = 64;
const SIGKILL = 9;
const SIGSTOP = 19;

const encoder = new TextEncoder();

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("a C string holds no NUL");
  return encoder.encode(text + "\0");
}

/** @param code errno, read before this is called ({@linkcode errno}) */
function check(result: number | bigint, code: number, call: string, on?: string): void {
  if (result < 0) throw new SystemError(call, code, on);
}

function prctl(option: number, ...[a = 0n, b = 0n]: bigint[]): number {
  return c.prctl(option, a, b, 0n, 0n);
}

/** While false: no core dump, no ptrace, no reading of this process's memory by its own user. */
export function setDumpable(dumpable: boolean): void {
  check(prctl(PR.setDumpable, dumpable ? 1n : 0n), errno[0]!, "prctl(PR_SET_DUMPABLE)");
}

/** This thread, and those it starts from now on, are no batch jobs any more (sched(7)). */
export function scheduleNormally(): void {
  const SCHED_OTHER = 0;
  check(c.sched_setscheduler(0, SCHED_OTHER, new Int32Array(1)), errno[0]!, "sched_setscheduler");
}

/** The supplementary groups of every thread. */
export function setGroups(gids: readonly number[]): void {
  check(c.setgroups(BigInt(gids.length), Uint32Array.from(gids)), errno[0]!, "setgroups");
}

/** Real, effective and saved group of every thread. */
export function setGid(gid: number): void {
  check(c.setresgid(gid, gid, gid), errno[0]!, "setresgid", String(gid));
}

/** Real, effective and saved user of every thread. */
export function setUid(uid: number): void {
  check(c.setresuid(uid, uid, uid), errno[0]!, "setresuid", String(uid));
}

/** Empties the calling thread's bounding set. @throws {SystemError} EPERM without CAP_SETPCAP */
export function dropBoundingSet(): void {
  for (let capability = 0; capability < CAPABILITY_LIMIT; capability++) {
    if (prctl(PR.capbsetDrop, BigInt(capability)) === 0) continue;
    if (capability > 0 && errno[0]! === Errno.EINVAL) return;
    throw new SystemError("prctl(PR_CAPBSET_DROP)", errno[0]!);
  }
}

/** Empties the calling thread's ambient, effective, permitted and inheritable sets. */
export function clearCapabilities(): void {
  check(
    prctl(PR.capAmbient, PR_CAP_AMBIENT_CLEAR_ALL),
    errno[0]!,
    "prctl(PR_CAP_AMBIENT_CLEAR_ALL)",
  );
  const header = Uint32Array.of(LINUX_CAPABILITY_VERSION_3, 0);
  check(c.capset(header, new Uint32Array(6)), errno[0]!, "capset");
}

export function securebits(): number {
  const bits = prctl(PR.getSecurebits);
  check(bits, errno[0]!, "prctl(PR_GET_SECUREBITS)");
  return bits;
}

/** {@linkcode LOCKED_SECUREBITS} for the calling thread. @throws {SystemError} EPERM without CAP_SETPCAP */
export function lockSecurebits(): void {
  check(prctl(PR.setSecurebits, BigInt(LOCKED_SECUREBITS)), errno[0]!, "prctl(PR_SET_SECUREBITS)");
}

export function setNoNewPrivs(): void {
  check(prctl(PR.setNoNewPrivs, 1n), errno[0]!, "prctl(PR_SET_NO_NEW_PRIVS)");
}

/** Every signal at its default disposition, none blocked in the calling thread. */
export function resetSignals(): void {
  // struct sigaction of the kernel, all zero: SIG_DFL, no flags, no mask. libc's own function would
  // refuse the two signals that it keeps for itself.
  const action = new Uint8Array(32);
  for (let signal = 1; signal <= LAST_SIGNAL; signal++) {
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    check(
      rtSigaction(SYS_RT_SIGACTION, signal, action, null, 8n),
      errno[0]!,
      "rt_sigaction",
      String(signal),
    );
  }
  check(c.sigprocmask(SIG_SETMASK, new Uint8Array(128), null), errno[0]!, "sigprocmask");
}

/** Marks every descriptor above 2 to be closed by the kernel when the exec succeeds. */
export function closeDescriptorsOnExec(): void {
  if (closeRange(SYS_CLOSE_RANGE, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC) === 0n) return;
  const failed = errno[0]!;
  // Kernels before 5.9 have no such call, those before 5.11 not the flag.
  if (failed !== Errno.ENOSYS && failed !== Errno.EINVAL) {
    throw new SystemError("close_range", failed);
  }
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    // The listing's own descriptor is gone by now.
    if (Number(name) > 2) c.fcntl(Number(name), F_SETFD, FD_CLOEXEC);
  }
}

export function changeDirectory(path: string): void {
  check(c.chdir(cString(path)), errno[0]!, "chdir", path);
}

/** What the kernel says of the calling thread. @throws when /proc is not mounted */
export function threadStatus(): string {
  return Deno.readTextFileSync("/proc/thread-self/status");
}

/** Replaces this process's program; returns only by throwing. */
export function execve(
  file: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): never {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const keep: Uint8Array[] = [];
  const vector = (strings: readonly string[]): BigUint64Array<ArrayBuffer> => {
    const pointers = new BigUint64Array(strings.length + 1);
    strings.forEach((text, i) => {
      const bytes = cString(text);
      keep.push(bytes);
      pointers[i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
    });
    return pointers;
  };
  c.execve(cString(file), vector(argv), vector(variables));
  throw new SystemError("execve", errno[0]!, keep.length === 0 ? undefined : file);
}
