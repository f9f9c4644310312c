import { type ByteString, byteString, fromByteString } from "../bytes.ts";
import { Errno, errno, libc, SystemError } from "./libc.ts";

const c = libc({
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
const { syscall: openat2 } = libc({
  syscall: { parameters: ["i64", "i32", "buffer", "buffer", "usize"], result: "i64" },
});
const { syscall: getdents64 } = libc({
  syscall: { parameters: ["i64", "i32", "buffer", "usize"], result: "i64" },
});
/** x86-64 and arm64 agree on openat2 alone; these two are all the machines there are builds for. */
const SYS_OPENAT2 = 437n;
const SYS_GETDENTS64 = Deno.build.arch === "x86_64" ? 217n : 61n;

const ARM = Deno.build.arch === "aarch64";
const O = {
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NONBLOCK: 0o4000,
  DIRECTORY: ARM ? 0o40000 : 0o200000,
  NOFOLLOW: ARM ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
} as const;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
/** RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH */
const RESOLVE_PLAIN_BENEATH = 0x02n | 0x04n | 0x08n;

/** What kind of thing a name is. */
export type NodeType = "file" | "directory" | "symlink" | "other";

export interface NodeStat {
  readonly type: NodeType;
  /** Permission bits, setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly mtime: Time;
  /** Device and mount: only where they are equal can a node be moved or linked from one to the other. */
  readonly mount: string;
}

/** A point in time since the epoch; `nanoseconds` is 0 to 999,999,999 and counts forward. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

let nameBuffer = new Uint8Array(4096);
let secondBuffer = new Uint8Array(4096);
const timesBuffer = new ArrayBuffer(32);
const times = new DataView(timesBuffer);
const timesBytes = new Uint8Array(timesBuffer);
const EMPTY = new Uint8Array(1);

function cString(text: ByteString, second = false): Uint8Array<ArrayBuffer> {
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
function component(name: ByteString): Uint8Array<ArrayBuffer> {
  if (
    name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")
  ) {
    throw new TypeError(`Not a name within a directory: "${fromByteString(name)}"`);
  }
  return cString(name);
}

function setTimes(time: Time): Uint8Array<ArrayBuffer> {
  for (const at of [0, 16]) {
    // By halves: four BigInts for every file are dear.
    times.setInt32(at, time.seconds | 0, true);
    times.setInt32(at + 4, Math.floor(time.seconds / 0x100000000), true);
    times.setInt32(at + 8, time.nanoseconds, true);
  }
  return timesBytes;
}

function check(result: number | bigint, call: string, name?: ByteString): void {
  if (result < 0) {
    throw new SystemError(call, errno(), name === undefined ? undefined : fromByteString(name));
  }
}

/** How a directory several components down is reached; chosen once by {@linkcode useOpenat2}. */
let kernelHasOpenat2: boolean | undefined;

/**
 * Whether descents use openat2(RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS); without an argument the
 * kernel is asked once. Both ways refuse the same paths; tests run both.
 */
export function useOpenat2(use?: boolean): void {
  kernelHasOpenat2 = use;
}

const openHow = new BigUint64Array([
  BigInt(O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC),
  0n,
  RESOLVE_PLAIN_BENEATH,
]);
const openHowBytes = new Uint8Array(openHow.buffer);

/**
 * An open directory, the only way this program changes a file system (contract section 5). Every
 * name is a single component relative to the descriptor and no symbolic link is ever followed, so
 * what a path leads to cannot change between a check and its use.
 *
 * Every method throws {@linkcode SystemError}.
 */
export class Directory implements Disposable {
  readonly #fd: number;
  #open = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** The descriptor. A closed one is never used: its number may be another directory's by now. */
  get fd(): number {
    if (!this.#open) throw new TypeError("The directory is closed");
    return this.#fd;
  }

  /** Opens a directory that the user named; symbolic links on the way are the user's own. */
  static at(path: string): Directory {
    const fd = c.openat(
      -100,
      cString(byteString(new TextEncoder().encode(path))),
      O.DIRECTORY | O.CLOEXEC,
      0,
    );
    if (fd < 0) throw new SystemError("open", errno(), path);
    return new Directory(fd);
  }

  /** Takes over a descriptor that {@linkcode duplicate} made, in another isolate of this process. */
  static given(fd: number): Directory {
    return new Directory(fd);
  }

  /** Another descriptor of this directory, for whoever is given it to close. */
  duplicate(): number {
    const F_DUPFD_CLOEXEC = 1030;
    const fd = c.fcntl(this.fd, F_DUPFD_CLOEXEC, 3);
    check(fd, "duplicate");
    return fd;
  }

  /** Opens a child; a symbolic link fails with ELOOP or ENOTDIR. */
  child(name: ByteString): Directory {
    const fd = c.openat(this.fd, component(name), O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0);
    check(fd, "open", name);
    return new Directory(fd);
  }

  /**
   * Opens a directory some components down, none of them a symbolic link.
   *
   * @param path components joined by `/`; empty means this directory again
   */
  descend(path: ByteString): Directory {
    if (path === "") return this.#reopen();
    if (kernelHasOpenat2 !== false) {
      for (const name of path.split("/")) component(name);
      const fd = Number(openat2(SYS_OPENAT2, this.fd, cString(path), openHowBytes, 24n));
      if (fd >= 0) return new Directory(fd);
      const code = errno();
      // Old kernels and seccomp filters answer these; the slow way then tells the truth.
      if (code !== Errno.ENOSYS && code !== Errno.EPERM) {
        throw new SystemError("open", code, fromByteString(path));
      }
      kernelHasOpenat2 = false;
    }
    const names = path.split("/");
    let current = this.child(names[0]!);
    for (const name of names.slice(1)) {
      using parent = current;
      current = parent.child(name);
    }
    return current;
  }

  #reopen(): Directory {
    const fd = c.openat(this.fd, cString("."), O.DIRECTORY | O.CLOEXEC, 0);
    check(fd, "open", ".");
    return new Directory(fd);
  }

  /** Makes a directory; the mode is exact whatever the umask. */
  mkdir(name: ByteString, mode: number): void {
    check(c.mkdirat(this.fd, component(name), mode), "mkdir", name);
    this.chmod(name, mode);
  }

  /** Makes a new file for writing; an existing name fails with EEXIST. */
  create(name: ByteString): FileWriter {
    const fd = c.openat(
      this.fd,
      component(name),
      O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC,
      0o600,
    );
    check(fd, "create", name);
    return new FileWriter(fd, name);
  }

  /** Opens an existing regular file for writing (to fill in what was left open). */
  openWriter(name: ByteString): FileWriter {
    const fd = c.openat(this.fd, component(name), O.WRONLY | O.NOFOLLOW | O.CLOEXEC, 0);
    check(fd, "open", name);
    return new FileWriter(fd, name);
  }

  /** Opens a file for reading at offsets. */
  open(name: ByteString): FileReader {
    const fd = c.openat(this.fd, component(name), O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC, 0);
    check(fd, "open", name);
    return new FileReader(fd, name);
  }

  /** Takes an exclusive lock on a file of this directory; undefined when another process has it. */
  tryLock(name: ByteString): Disposable | undefined {
    const fd = c.openat(this.fd, component(name), O.RDWR | O.CREAT | O.NOFOLLOW | O.CLOEXEC, 0o600);
    check(fd, "open", name);
    const LOCK_EX_NB = 2 | 4;
    if (c.flock(fd, LOCK_EX_NB) === 0) return { [Symbol.dispose]: () => void c.close(fd) };
    c.close(fd);
    return undefined;
  }

  symlink(target: ByteString, name: ByteString): void {
    check(c.symlinkat(cString(target, true), this.fd, component(name)), "symlink", name);
  }

  /** Gives a file of `from` another name here; a symbolic link itself is linked, not its target. */
  link(from: Directory, oldName: ByteString, name: ByteString): void {
    component(oldName);
    const result = c.linkat(from.fd, cString(oldName, true), this.fd, component(name), 0);
    check(result, "link", name);
  }

  /** Moves a node of `from` here, replacing what has the name unless that is a directory. */
  take(from: Directory, oldName: ByteString, name: ByteString): void {
    const result = this.tryTake(from, oldName, name);
    if (result !== 0) throw new SystemError("rename", result, fromByteString(name));
  }

  /** As {@linkcode take}, answering the errno (0: done) since callers branch on it for each file. */
  tryTake(from: Directory, oldName: ByteString, name: ByteString): number {
    component(oldName);
    const result = c.renameat(from.fd, cString(oldName, true), this.fd, component(name));
    return result === 0 ? 0 : errno();
  }

  unlink(name: ByteString): void {
    check(c.unlinkat(this.fd, component(name), 0), "remove", name);
  }

  rmdir(name: ByteString): void {
    check(c.unlinkat(this.fd, component(name), AT_REMOVEDIR), "remove", name);
  }

  /** Mode of a node that is not a symbolic link (the caller has just made or statted it). */
  chmod(name: ByteString, mode: number): void {
    check(c.fchmodat(this.fd, component(name), mode, 0), "chmod", name);
  }

  chown(name: ByteString, owner: Owner): void {
    const result = c.fchownat(
      this.fd,
      component(name),
      owner.uid,
      owner.gid,
      AT_SYMLINK_NOFOLLOW,
    );
    check(result, "chown", name);
  }

  /** Sets the access and modification time, of a symbolic link itself too. */
  utimes(name: ByteString, time: Time): void {
    const at = component(name);
    check(c.utimensat(this.fd, at, setTimes(time), AT_SYMLINK_NOFOLLOW), "utimes", name);
  }

  /** Mode of this directory itself. */
  chmodSelf(mode: number): void {
    check(c.fchmod(this.fd, mode), "chmod");
  }

  readlink(name: ByteString): ByteString {
    const buffer = new Uint8Array(4097);
    const length = Number(
      c.readlinkat(this.fd, component(name), buffer, BigInt(buffer.length)),
    );
    check(length, "readlink", name);
    return byteString(buffer, 0, length);
  }

  /** What a name is, without following it; undefined when there is nothing. */
  stat(name: ByteString): NodeStat | undefined {
    return this.#statx(component(name), AT_SYMLINK_NOFOLLOW, name);
  }

  /** What this directory itself is. */
  statSelf(): NodeStat {
    return this.#statx(EMPTY, AT_EMPTY_PATH, ".")!;
  }

  #statx(name: Uint8Array<ArrayBuffer>, flags: number, shown: ByteString): NodeStat | undefined {
    const BASIC_STATS_AND_MOUNT = 0x17ff;
    const buffer = new Uint8Array(256);
    if (c.statx(this.fd, name, flags, BASIC_STATS_AND_MOUNT, buffer) !== 0) {
      const code = errno();
      if (code === Errno.ENOENT) return undefined;
      throw new SystemError("stat", code, fromByteString(shown));
    }
    const view = new DataView(buffer.buffer);
    const mode = view.getUint16(28, true);
    return {
      type: nodeType(mode & 0o170000),
      mode: mode & 0o7777,
      uid: view.getUint32(20, true),
      gid: view.getUint32(24, true),
      size: Number(view.getBigUint64(40, true)),
      links: view.getUint32(16, true),
      mtime: {
        seconds: Number(view.getBigInt64(112, true)),
        nanoseconds: view.getUint32(120, true),
      },
      mount: `${view.getUint32(136, true)}:${view.getUint32(140, true)}:${
        view.getBigUint64(144, true)
      }`,
    };
  }

  /** Whether this process may make and remove names here. */
  isWritable(): boolean {
    const W_OK_AND_X_OK = 3;
    const AT_EACCESS = 0x200;
    return c.faccessat(this.fd, cString("."), W_OK_AND_X_OK, AT_EACCESS) === 0;
  }

  /** The names here but `.` and `..`, read piece by piece; removal while iterating is safe. */
  *names(): Generator<ByteString> {
    using handle = this.#reopen();
    const buffer = new Uint8Array(32 * 1024);
    const view = new DataView(buffer.buffer);
    while (true) {
      const length = Number(
        getdents64(SYS_GETDENTS64, handle.fd, buffer, BigInt(buffer.length)),
      );
      check(length, "list");
      if (length === 0) return;
      const found: ByteString[] = [];
      for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
        const end = buffer.indexOf(0, at + 19);
        const name = byteString(buffer, at + 19, end);
        if (name !== "." && name !== "..") found.push(name);
      }
      yield* found;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    c.close(this.#fd);
  }
}

function nodeType(format: number): NodeType {
  if (format === 0o100000) return "file";
  if (format === 0o040000) return "directory";
  return format === 0o120000 ? "symlink" : "other";
}

/** A file being written, by its descriptor alone. Every method throws {@linkcode SystemError}. */
export class FileWriter {
  readonly #fd: number;
  readonly #name: ByteString;
  #position = 0;

  constructor(fd: number, name: ByteString) {
    this.#fd = fd;
    this.#name = name;
  }

  /** Writes at an offset in the file; without one, after what was written last. */
  write(bytes: Uint8Array<ArrayBuffer>, offset = this.#position): void {
    let rest = bytes;
    let at = offset;
    while (rest.length > 0) {
      const written = at === this.#position
        ? c.write(this.#fd, rest, BigInt(rest.length))
        : c.pwrite(this.#fd, rest, BigInt(rest.length), BigInt(at));
      if (written < 0) {
        const code = errno();
        if (code === Errno.EINTR) continue;
        throw new SystemError("write", code, fromByteString(this.#name));
      }
      if (at === this.#position) this.#position += written;
      at += written;
      rest = rest.subarray(written);
    }
  }

  truncate(size: number): void {
    check(c.ftruncate(this.#fd, BigInt(size)), "truncate", this.#name);
  }

  /** Owner last: a file that is given away is no longer this user's to change. */
  setMetadata(mode: number, time: Time, owner: Owner | undefined): void {
    check(c.fchmod(this.#fd, mode), "chmod", this.#name);
    check(c.futimens(this.#fd, setTimes(time)), "utimes", this.#name);
    if (owner !== undefined) {
      check(c.fchown(this.#fd, owner.uid, owner.gid), "chown", this.#name);
    }
  }

  close(): void {
    check(c.close(this.#fd), "close", this.#name);
  }
}

/** A file read at offsets, so that several readers can share it. */
export class FileReader implements Disposable {
  readonly #fd: number;
  readonly #name: ByteString;

  constructor(fd: number, name: ByteString) {
    this.#fd = fd;
    this.#name = name;
  }

  /** Fills the buffer from an offset; answers how many bytes there were. */
  read(buffer: Uint8Array<ArrayBuffer>, offset: number): number {
    const result = c.pread(this.#fd, buffer, BigInt(buffer.length), BigInt(offset));
    check(result, "read", this.#name);
    return result;
  }

  [Symbol.dispose](): void {
    c.close(this.#fd);
  }
}
