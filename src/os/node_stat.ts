import type { Time } from "./metadata.ts";

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

/** What statx(2) has written, with basic stats and the mount. */
export function parseStatx(buffer: Uint8Array<ArrayBuffer>): NodeStat {
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

function nodeType(format: number): NodeType {
  if (format === 0o100000) return "file";
  if (format === 0o040000) return "directory";
  return format === 0o120000 ? "symlink" : "other";
}
