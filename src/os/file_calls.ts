import { type ByteString, fromByteString } from "../bytes.ts";
import { libc, SystemError } from "./libc.ts";
import type { Time } from "./metadata.ts";

/** The calls on files and directories; only `Directory` and its files make them. */
export const c = libc({
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  // No call moves 2 GiB: the low half of the count is all of it, and costs no BigInt.
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  faccessat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
});
export const { syscall: openat2 } = libc({
  syscall: { parameters: ["i64", "i32", "buffer", "buffer", "usize"], result: "i64" },
});
export const { syscall: getdents64 } = libc({
  syscall: { parameters: ["i64", "i32", "buffer", "usize"], result: "i64" },
});
/** x86-64 and arm64 agree on openat2 alone; these two are all the machines there are builds for. */
export const SYS_OPENAT2 = 437n;
export const SYS_GETDENTS64 = Deno.build.arch === "x86_64" ? 217n : 61n;

const ARM = Deno.build.arch === "aarch64";
export const O = {
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NONBLOCK: 0o4000,
  DIRECTORY: ARM ? 0o40000 : 0o200000,
  NOFOLLOW: ARM ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
} as const;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
/** RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH */
export const RESOLVE_PLAIN_BENEATH = 0x02n | 0x04n | 0x08n;

let nameBuffer = new Uint8Array(4096);
let secondBuffer = new Uint8Array(4096);
const timesBuffer = new ArrayBuffer(32);
const times = new DataView(timesBuffer);
const timesBytes = new Uint8Array(timesBuffer);
export const EMPTY = new Uint8Array(1);

export function cString(text: ByteString, second = false): Uint8Array<ArrayBuffer> {
  let buffer = second ? secondBuffer : nameBuffer;
  if (text.length + 1 > buffer.length) {
    buffer = new Uint8Array(text.length + 1);
    if (second) secondBuffer = buffer;
    else nameBuffer = buffer;
  }
  for (let i = 0; i < text.length; i++) buffer[i] = text.charCodeAt(i);
  buffer[text.length] = 0;
  return buffer;
}

/**
 * The one gate of every write: a name is one component, so that no call below can leave the
 * directory it is made on.
 */
export function component(name: ByteString): Uint8Array<ArrayBuffer> {
  if (
    name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")
  ) {
    throw new TypeError(`Not a name within a directory: "${fromByteString(name)}"`);
  }
  return cString(name);
}

export function setTimes(time: Time): Uint8Array<ArrayBuffer> {
  for (const at of [0, 16]) {
    // By halves: four BigInts for every file are dear.
    times.setInt32(at, time.seconds | 0, true);
    times.setInt32(at + 4, Math.floor(time.seconds / 0x100000000), true);
    times.setInt32(at + 8, time.nanoseconds, true);
  }
  return timesBytes;
}

/** @param code errno, read before this is called (libc.ts) */
export function check(
  result: number | bigint,
  code: number,
  call: string,
  name?: ByteString,
): void {
  if (result < 0) {
    throw new SystemError(call, code, name === undefined ? undefined : fromByteString(name));
  }
}
