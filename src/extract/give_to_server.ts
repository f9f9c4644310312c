import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { Owner } from "../os/metadata.ts";
import { Errno, SystemError } from "../os/libc.ts";
import type { Allowlist } from "./allowlist.ts";
import { join } from "./path.ts";

const PROBE = "chown-probe";

/** Whether this process may give files away: root in a container can lack CAP_CHOWN. */
export function mayChown(staging: Directory, owner: Owner = { uid: 1000, gid: 1000 }): boolean {
  staging.create(PROBE).close();
  try {
    staging.chown(PROBE, owner);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.EPERM) return false;
    throw error;
  } finally {
    staging.unlink(PROBE);
  }
}

/**
 * Gives what is the server's in a finished tree to its user, for when the user's name could only
 * be looked up in the image itself.
 */
export function giveToServer(tree: Directory, allowlist: Allowlist, owner: Owner): void {
  const walk = (directory: Directory, path: ByteString) => {
    for (const name of directory.names()) {
      const at = join(path, name);
      if (!allowlist.isServerOwned(at)) continue;
      if (directory.stat(name)?.type === "directory") {
        using child = directory.child(name);
        walk(child, at);
      }
      directory.chown(name, owner);
    }
  };
  walk(tree, "");
}
