import type { ByteString } from "../bytes.ts";

/**
 * What one entry of a layer does, written down by the layer's Worker and carried out later, in the
 * order of the layers, by `MergedTree`. Content is already on disk by then, in a node.
 *
 * As arrays, since every entry of an image is written and read once as JSON.
 */
export type Record =
  /**
   * A prepared file or link of the layer, complete with metadata, takes the path; `node` is its
   * number or {@linkcode NAMED}.
   */
  | readonly [
    kind: typeof FILE | typeof SYMLINK,
    path: ByteString,
    node: number,
    /** The archive's owner, for when links lead the path out of or into the server's directories. */
    uid: number,
    gid: number,
  ]
  | readonly [
    kind: typeof DIRECTORY,
    path: ByteString,
    mode: number,
    uid: number,
    gid: number,
    seconds: number,
    nanoseconds: number,
  ]
  | readonly [kind: typeof LINK, path: ByteString, target: ByteString]
  | readonly [kind: typeof WHITEOUT, path: ByteString]
  | readonly [kind: typeof OPAQUE, path: ByteString]
  /** A file the allowlist leaves out; `entry` numbers the layer's entries for a second read. */
  | readonly [kind: typeof LEFT_OUT_FILE, path: ByteString, entry: number]
  | readonly [
    kind: typeof LEFT_OUT_SYMLINK,
    path: ByteString,
    target: ByteString,
    uid: number,
    gid: number,
    seconds: number,
    nanoseconds: number,
  ]
  /** A device or FIFO: it replaces what has its name and is not made. */
  | readonly [kind: typeof LEFT_OUT_NODE, path: ByteString];

/** The records of a kind. */
export type RecordOf<Kind extends number> = Extract<Record, readonly [Kind, ...unknown[]]>;

/** In place of a node's number: it is where the layer has it, under its record's path. */
export const NAMED = -1;

export const FILE = 0;
export const SYMLINK = 1;
export const DIRECTORY = 2;
export const LINK = 3;
export const WHITEOUT = 4;
export const OPAQUE = 5;
export const LEFT_OUT_FILE = 6;
export const LEFT_OUT_SYMLINK = 7;
export const LEFT_OUT_NODE = 8;
