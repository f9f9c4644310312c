import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";

const BUFFER = 256 * 1024;

/**
 * Copies a file, symbolic link or directory with all below it, metadata included, to another
 * mount, where it cannot be moved.
 */
export function copyNode(
  from: Directory,
  name: ByteString,
  to: Directory,
  copy: ByteString,
): void {
  const node = from.stat(name)!;
  const owner = Deno.uid() === 0 ? { uid: node.uid, gid: node.gid } : undefined;
  if (node.type === "symlink") {
    to.symlink(from.readlink(name), copy);
    to.utimes(copy, node.mtime);
    if (owner !== undefined) to.chown(copy, owner);
  } else if (node.type === "directory") {
    to.mkdir(copy, 0o700);
    using inner = from.child(name);
    using made = to.child(copy);
    for (const child of inner.names()) copyNode(inner, child, made, child);
    made.setMetadata(node.mode, node.mtime, owner, name);
  } else {
    using reader = from.open(name);
    const writer = to.create(copy);
    const buffer = new Uint8Array(BUFFER);
    for (let offset = 0; offset < node.size;) {
      const size = reader.read(buffer, offset);
      if (size === 0) break;
      writer.write(buffer.subarray(0, size));
      offset += size;
    }
    writer.finish({ size: undefined, mode: node.mode, mtime: node.mtime, owner });
  }
}
