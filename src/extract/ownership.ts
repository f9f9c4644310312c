import type { ByteString } from "../bytes.ts";
import type { Owner } from "../os/metadata.ts";
import type { Allowlist } from "./allowlist.ts";

/** How owners are set, when the runner may set them at all. */
export interface Ownership {
  /** The server's user, for what is its own; undefined until its name has been looked up. */
  readonly server: Owner | undefined;
}

/**
 * Whom a path is given to (contract section 4); undefined: it stays the runner's.
 *
 * @param archive the owner that the entry has
 */
export function ownerOf(
  path: ByteString,
  archive: Owner,
  allowlist: Allowlist,
  ownership: Ownership | undefined,
): Owner | undefined {
  if (ownership === undefined) return undefined;
  if (!allowlist.isServerOwned(path)) return archive;
  return ownership.server ?? archive;
}
