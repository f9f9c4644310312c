import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { Errno, SystemError } from "../os/libc.ts";

/** Descriptors held on the way down; what lies deeper is moved up first. */
const MAX_DEPTH = 64;

/** Removes a name with all below it, never through a symbolic link; nothing there is no error. */
export function removeTree(parent: Directory, name: ByteString): void {
  if (tryUnlink(parent, name)) return;
  {
    using top = openForRemoval(parent, name);
    let moved: boolean;
    const empty = (directory: Directory, depth: number) => {
      for (const child of directory.names()) {
        if (tryUnlink(directory, child)) continue;
        if (depth === MAX_DEPTH) {
          using _writable = openForRemoval(directory, child);
          top.take(directory, child, crypto.randomUUID());
          moved = true;
          continue;
        }
        {
          using inner = openForRemoval(directory, child);
          empty(inner, depth + 1);
        }
        directory.rmdir(child);
      }
    };
    do {
      moved = false;
      empty(top, 0);
    } while (moved);
  }
  parent.rmdir(name);
}

/** As {@linkcode removeTree}, where a Worker that is just ending may still add a name. */
export function removeBusyTree(parent: Directory, name: ByteString): void {
  for (let tries = 0;; tries++) {
    try {
      return removeTree(parent, name);
    } catch (error) {
      const isBusy = error instanceof SystemError && error.errno === Errno.ENOTEMPTY;
      if (!isBusy || tries === 100) throw error;
    }
  }
}

/** False for a directory, which is still there. */
function tryUnlink(parent: Directory, name: ByteString): boolean {
  try {
    parent.unlink(name);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === Errno.ENOENT) return true;
    // Linux answers EISDIR for a directory, POSIX says EPERM.
    if (error.errno === Errno.EISDIR || error.errno === Errno.EPERM) return false;
    throw error;
  }
}

/** A plain user's directory of mode 0 can be removed all the same: it is theirs to open up. */
function openForRemoval(parent: Directory, name: ByteString): Directory {
  try {
    const directory = parent.child(name);
    if (directory.isWritable()) return directory;
    directory[Symbol.dispose]();
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EACCES) throw error;
  }
  parent.chmod(name, 0o700);
  return parent.child(name);
}
