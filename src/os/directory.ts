import { type ByteString, byteString, fromByteString } from "../bytes.ts";
import { type FileQueue, FileReader, FileWriter } from "./file.ts";
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  c,
  check,
  component,
  cString,
  EMPTY,
  getdents64,
  O,
  openat2,
  RESOLVE_PLAIN_BENEATH,
  setTimes,
  SYS_GETDENTS64,
  SYS_OPENAT2,
} from "./file_calls.ts";
import { Errno, errno, SystemError } from "./libc.ts";
import type { Owner, Time } from "./metadata.ts";
import { type NodeStat, parseStatx } from "./node_stat.ts";

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
    if (fd < 0) throw new SystemError("open", errno[0]!, path);
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
    check(fd, errno[0]!, "duplicate");
    return fd;
  }

  /** Opens a child; a symbolic link fails with ELOOP or ENOTDIR. */
  child(name: ByteString): Directory {
    const fd = c.openat(this.fd, component(name), O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0);
    check(fd, errno[0]!, "open", name);
    return new Directory(fd);
  }

  /** As {@linkcode child}; undefined where there is no directory. */
  tryChild(name: ByteString): Directory | undefined {
    const fd = c.openat(this.fd, component(name), O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0);
    if (fd >= 0) return new Directory(fd);
    const code = errno[0]!;
    if (NO_DIRECTORY.includes(code)) return undefined;
    throw new SystemError("open", code, fromByteString(name));
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
      const code = errno[0]!;
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
    check(fd, errno[0]!, "open", ".");
    return new Directory(fd);
  }

  /** Makes a directory; the mode is exact whatever the umask. */
  mkdir(name: ByteString, mode: number): void {
    check(c.mkdirat(this.fd, component(name), mode), errno[0]!, "mkdir", name);
    this.chmod(name, mode);
  }

  /** Makes a new file for writing; an existing name fails with EEXIST. */
  create(name: ByteString, queue?: FileQueue): FileWriter {
    const fd = c.openat(
      this.fd,
      component(name),
      O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC,
      0o600,
    );
    check(fd, errno[0]!, "create", name);
    return new FileWriter(fd, name, queue);
  }

  /** Opens an existing regular file for writing (to fill in what was left open). */
  openWriter(name: ByteString): FileWriter {
    const fd = c.openat(this.fd, component(name), O.WRONLY | O.NOFOLLOW | O.CLOEXEC, 0);
    check(fd, errno[0]!, "open", name);
    return new FileWriter(fd, name);
  }

  /** Opens a file for reading at offsets. */
  open(name: ByteString): FileReader {
    const fd = c.openat(this.fd, component(name), O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC, 0);
    check(fd, errno[0]!, "open", name);
    return new FileReader(fd, name);
  }

  /** Takes an exclusive lock on a file of this directory; undefined when another process has it. */
  tryLock(name: ByteString): Disposable | undefined {
    const fd = c.openat(this.fd, component(name), O.RDWR | O.CREAT | O.NOFOLLOW | O.CLOEXEC, 0o600);
    check(fd, errno[0]!, "open", name);
    const LOCK_EX_NB = 2 | 4;
    if (c.flock(fd, LOCK_EX_NB) === 0) return { [Symbol.dispose]: () => void c.close(fd) };
    c.close(fd);
    return undefined;
  }

  symlink(target: ByteString, name: ByteString): void {
    check(c.symlinkat(cString(target, true), this.fd, component(name)), errno[0]!, "symlink", name);
  }

  /** Gives a file of `from` another name here; a symbolic link itself is linked, not its target. */
  link(from: Directory, oldName: ByteString, name: ByteString): void {
    component(oldName);
    const result = c.linkat(from.fd, cString(oldName, true), this.fd, component(name), 0);
    check(result, errno[0]!, "link", name);
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
    return result === 0 ? 0 : errno[0]!;
  }

  unlink(name: ByteString): void {
    check(c.unlinkat(this.fd, component(name), 0), errno[0]!, "remove", name);
  }

  rmdir(name: ByteString): void {
    check(c.unlinkat(this.fd, component(name), AT_REMOVEDIR), errno[0]!, "remove", name);
  }

  /** Mode of a node that is not a symbolic link (the caller has just made or statted it). */
  chmod(name: ByteString, mode: number): void {
    check(c.fchmodat(this.fd, component(name), mode, 0), errno[0]!, "chmod", name);
  }

  chown(name: ByteString, owner: Owner): void {
    const result = c.fchownat(
      this.fd,
      component(name),
      owner.uid,
      owner.gid,
      AT_SYMLINK_NOFOLLOW,
    );
    check(result, errno[0]!, "chown", name);
  }

  /** Sets the access and modification time, of a symbolic link itself too. */
  utimes(name: ByteString, time: Time): void {
    const at = component(name);
    check(c.utimensat(this.fd, at, setTimes(time), AT_SYMLINK_NOFOLLOW), errno[0]!, "utimes", name);
  }

  /** Metadata of this directory itself. Owner last: what is given away is no longer ours to change. */
  setMetadata(mode: number, mtime?: Time, owner?: Owner, shown?: ByteString): void {
    check(c.fchmod(this.fd, mode), errno[0]!, "chmod", shown);
    if (mtime !== undefined) {
      check(c.futimens(this.fd, setTimes(mtime)), errno[0]!, "utimes", shown);
    }
    if (owner !== undefined) {
      check(c.fchown(this.fd, owner.uid, owner.gid), errno[0]!, "chown", shown);
    }
  }

  readlink(name: ByteString): ByteString {
    const buffer = new Uint8Array(4097);
    const length = Number(
      c.readlinkat(this.fd, component(name), buffer, BigInt(buffer.length)),
    );
    check(length, errno[0]!, "readlink", name);
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
      const code = errno[0]!;
      if (code === Errno.ENOENT) return undefined;
      throw new SystemError("stat", code, fromByteString(shown));
    }
    return parseStatx(buffer);
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
      check(length, errno[0]!, "list");
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

/** What the kernel answers where there is nothing, or something that is no directory. */
export const NO_DIRECTORY: readonly number[] = [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP];
