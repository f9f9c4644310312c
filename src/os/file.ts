import { type ByteString, fromByteString } from "../bytes.ts";
import { c, check, setTimes } from "./file_calls.ts";
import { Errno, errno, SystemError } from "./libc.ts";
import type { Owner, Time } from "./metadata.ts";

/** What a finished file gets. */
export interface FileMetadata {
  /** Where what was written may not reach, as in a sparse file; undefined: as written. */
  readonly size: number | undefined;
  readonly mode: number;
  readonly mtime: Time;
  readonly owner: Owner | undefined;
}

/** Does what {@linkcode FileWriter} would, in the same order, some time later. */
export interface FileQueue {
  /** @returns false: the bytes are not such as it can write later */
  write(fd: number, bytes: Uint8Array<ArrayBuffer>, offset: number, name: ByteString): boolean;
  /** Sets the metadata and closes the descriptor. */
  finish(fd: number, metadata: FileMetadata, name: ByteString): void;
}

/** A file being written, by its descriptor alone. Every method throws {@linkcode SystemError}. */
export class FileWriter {
  readonly #fd: number;
  readonly #name: ByteString;
  readonly #queue: FileQueue | undefined;
  #position = 0;

  /** @param queue does what it can later; failures are then its own to tell */
  constructor(fd: number, name: ByteString, queue?: FileQueue) {
    this.#fd = fd;
    this.#name = name;
    this.#queue = queue;
  }

  /** Writes at an offset in the file; without one, after what was written last. */
  write(bytes: Uint8Array<ArrayBuffer>, offset = this.#position): void {
    if (this.#queue?.write(this.#fd, bytes, offset, this.#name)) return;
    let rest = bytes;
    let at = offset;
    while (rest.length > 0) {
      const written = at === this.#position
        ? c.write(this.#fd, rest, BigInt(rest.length))
        : c.pwrite(this.#fd, rest, BigInt(rest.length), BigInt(at));
      if (written < 0) {
        const code = errno[0]!;
        if (code === Errno.EINTR) continue;
        throw new SystemError("write", code, fromByteString(this.#name));
      }
      if (at === this.#position) this.#position += written;
      at += written;
      rest = rest.subarray(written);
    }
  }

  /** Completes the file and closes it. Owner last: what is given away is not ours to change. */
  finish(metadata: FileMetadata): void {
    if (this.#queue !== undefined) {
      return this.#queue.finish(this.#fd, metadata, this.#name);
    }
    const { size, mode, mtime, owner } = metadata;
    if (size !== undefined) {
      check(c.ftruncate(this.#fd, BigInt(size)), errno[0]!, "truncate", this.#name);
    }
    check(c.fchmod(this.#fd, mode), errno[0]!, "chmod", this.#name);
    check(c.futimens(this.#fd, setTimes(mtime)), errno[0]!, "utimes", this.#name);
    if (owner !== undefined) {
      check(c.fchown(this.#fd, owner.uid, owner.gid), errno[0]!, "chown", this.#name);
    }
    this.close();
  }

  close(): void {
    check(c.close(this.#fd), errno[0]!, "close", this.#name);
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
    check(result, errno[0]!, "read", this.#name);
    return result;
  }

  [Symbol.dispose](): void {
    c.close(this.#fd);
  }
}
