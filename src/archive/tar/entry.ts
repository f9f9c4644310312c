import type { ByteString } from "../../bytes.ts";
import type { Time } from "../../os/metadata.ts";

export type EntryType =
  | "file"
  | "directory"
  | "symlink"
  | "link"
  | "character device"
  | "block device"
  | "fifo";

/** One member of an archive, with PAX and GNU extensions already applied. */
export interface TarEntry {
  readonly path: ByteString;
  readonly type: EntryType;
  /** Bytes of the file as it will be read back, holes included. */
  readonly size: number;
  /** Permission bits, setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  /** Target of a symbolic or hard link, else empty. */
  readonly linkPath: ByteString;
  /** The content has holes: offsets jump, and `size` may lie past the last byte given. */
  readonly sparse: boolean;
}

/** What the reader tells of an archive, in its order; everything is synchronous. */
export interface TarHandler {
  /** Answers whether the content of a file is wanted; of any other type there is none. */
  entry(entry: TarEntry): boolean;
  /** A piece of the wanted content for an offset in the file; valid only during the call. */
  content(bytes: Uint8Array<ArrayBuffer>, offset: number): void;
  /** The wanted content was given in full. */
  end(): void;
}

/** Bounds on what a header may make the reader hold (contract section 5). */
export interface TarLimits {
  /** Bytes of a path or link target. */
  readonly maxPathLength: number;
  /** Bytes of one PAX header, GNU long name or sparse map. */
  readonly maxPaxSize: number;
}
