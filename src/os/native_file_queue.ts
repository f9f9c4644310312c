import { type ByteString, fromByteString } from "../bytes.ts";
import type { FileMetadata, FileQueue } from "./file.ts";
import { SystemError } from "./libc.ts";
import { getLimit } from "./limits.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Doubles of a `struct file_op` (helper/codec/decoder.h), and how many of them a slot has. */
export const OP_SIZE = 8;
export const OPS_A_SLOT = 128;
/** Files stay open until their operations are done; the runtime and a layer need some besides. */
const OTHER_DESCRIPTORS = 128n;
const OP_WRITE = 0;
const OP_FINISH = 1;
/** `enum file_call`, in the words of `FileWriter`. */
const CALLS = ["", "write", "truncate", "chmod", "utimes", "chown", "close"];

/** What a decoder's queue lies in. */
export interface QueueMemory {
  readonly ops: Float64Array<ArrayBuffer>;
  /** Of the first failure: call, errno, slot, operation. */
  readonly failed: Uint32Array<ArrayBuffer>;
  /** Does what was begun in a slot, so far as so many operations go. */
  readonly flush: (count: number) => void;
  /** Of all decoders at once, which share the descriptors there may be. */
  readonly allSlots: number;
}

/** Writes parts of the tar's bytes to files, after those bytes were released, by the decoder. */
export class NativeFileQueue implements FileQueue {
  readonly #ops: Float64Array;
  readonly #failed: Uint32Array;
  /** Operations that may wait in a slot. */
  readonly #limit: number;
  readonly #flush: (count: number) => void;
  /** Of the files, by slot and operation, for what fails. */
  readonly #names: ByteString[] = [];
  #slot = 0;
  #count = 0;
  #failure: SystemError | undefined;

  constructor({ ops, failed, flush, allSlots }: QueueMemory) {
    this.#ops = ops;
    this.#failed = failed;
    this.#flush = flush;
    const descriptors = Number(getLimit("nofile").soft - OTHER_DESCRIPTORS);
    this.#limit = Math.max(1, Math.min(OPS_A_SLOT, Math.floor(descriptors / allSlots)));
  }

  /** What follows is about this slot's bytes. */
  begin(slot: number): void {
    this.#notice();
    this.#slot = slot;
    this.#count = 0;
  }

  /** Operations since `begin` that have not been done. */
  get count(): number {
    return this.#count;
  }

  write(fd: number, bytes: Bytes, offset: number, name: ByteString): boolean {
    if (bytes.buffer !== this.#ops.buffer) return false;
    const op = this.#next(name);
    this.#ops[op] = OP_WRITE;
    this.#ops[op + 1] = fd;
    this.#ops[op + 2] = offset;
    this.#ops[op + 3] = bytes.byteOffset;
    this.#ops[op + 4] = bytes.length;
    return true;
  }

  finish(fd: number, { size, mode, mtime, owner }: FileMetadata, name: ByteString): void {
    const op = this.#next(name);
    this.#ops[op] = OP_FINISH;
    this.#ops[op + 1] = fd;
    this.#ops[op + 2] = size ?? -1;
    this.#ops[op + 3] = mode;
    this.#ops[op + 4] = mtime.seconds;
    this.#ops[op + 5] = mtime.nanoseconds;
    this.#ops[op + 6] = owner?.uid ?? -1;
    this.#ops[op + 7] = owner?.gid ?? -1;
  }

  /** @throws {SystemError} of the first operation that failed, if one has */
  requireSuccess(): void {
    this.#notice();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Keeps what failed, while the name of its file is still known. */
  #notice(): void {
    const call = Atomics.load(this.#failed, 0);
    if (call === 0 || this.#failure !== undefined) return;
    const [, code, slot, op] = this.#failed;
    const name = this.#names[slot! * OPS_A_SLOT + op!]!;
    this.#failure = new SystemError(CALLS[call]!, code!, fromByteString(name));
  }

  #next(name: ByteString): number {
    if (this.#count === this.#limit) {
      // They are done once, whatever comes of them.
      this.#count = 0;
      this.#flush(this.#limit);
      this.requireSuccess();
    }
    const index = this.#slot * OPS_A_SLOT + this.#count++;
    this.#names[index] = name;
    return index * OP_SIZE;
  }
}
