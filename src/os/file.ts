import { type ByteString, fromByteString } from "../bytes.ts";
import { c, check, setTimes } from "./file_calls.ts";
import { Errno, errno, SystemError } from "./libc.ts";
import type { Owner, Time } from "./metadata.ts";

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
