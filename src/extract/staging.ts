import { type ByteString, fromByteString } from "../bytes.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Directory } from "../os/directory.ts";
import { Errno, SystemError } from "../os/libc.ts";
import type { Allowlist } from "./allowlist.ts";
import { join } from "./path.ts";
import { removeBusyTree, removeTree } from "./remove.ts";
import { rollBack } from "./roll_back.ts";

/** Names of staging directories begin so; what follows tells runs apart. */
const PREFIX = ".fastmcp-runner-";
const LOCK = "lock";
/** Staging is nobody else's to read or to change. */
const PRIVATE = 0o700;

/**
 * A private directory on the root's file system where an image is put together before any of it is
 * put in place. While it is locked its run is alive; one that is not was left by a run that was
 * killed, and the next run removes it.
 */
export class Staging implements Disposable {
  readonly directory: Directory;
  readonly name: ByteString;
  /** The directory it lies in, below the root; "" for the root itself. */
  readonly parentPath: ByteString;
  readonly #parent: Directory;
  readonly #lock: Disposable;

  private constructor(
    parent: Directory,
    parentPath: ByteString,
    name: ByteString,
    directory: Directory,
    lock: Disposable,
  ) {
    this.#parent = parent;
    this.parentPath = parentPath;
    this.name = name;
    this.directory = directory;
    this.#lock = lock;
  }

  /** @throws {SystemError} */
  static create(parent: Directory, parentPath: ByteString): Staging {
    const name = `${PREFIX}${crypto.randomUUID().slice(0, 8)}`;
    parent.mkdir(name, PRIVATE);
    const directory = parent.child(name);
    const lock = directory.tryLock(LOCK)!;
    return new Staging(parent, parentPath, name, directory, lock);
  }

  /** Removes it with all that was not put in place. */
  [Symbol.dispose](): void {
    removeBusyTree(this.#parent, this.name);
    this.#lock[Symbol.dispose]();
    this.directory[Symbol.dispose]();
    this.#parent[Symbol.dispose]();
  }
}

/**
 * Makes the staging directory where this user may write: the root, or else the first of the
 * allowed directories that is theirs.
 *
 * @throws {RunnerError} 73 when there is none
 */
export function createStaging(root: Directory, rootPath: string, allowlist: Allowlist): Staging {
  let refusal = "";
  for (const path of stagingParents(allowlist)) {
    const parent = openIfThere(root, path);
    if (parent === undefined) continue;
    try {
      return Staging.create(parent, path);
    } catch (error) {
      parent[Symbol.dispose]();
      if (!(error instanceof SystemError)) throw error;
      refusal ||= error.message;
      if (error.errno === Errno.ENOSPC || error.errno === Errno.EDQUOT) break;
    }
  }
  throw new RunnerError(
    Exit.cannotWrite,
    `Cannot write below "${rootPath}": ${refusal}; point RUNNER_ROOT at a directory of yours, ` +
      "or own the application's directories in the Dockerfile",
  );
}

/**
 * Undoes and removes what killed runs have left in the root. What is not surely ours is left: it
 * must belong to this user and be private, so that nobody else can have written what it says.
 */
export function removeStale(root: Directory, allowlist: Allowlist, log: Logger): void {
  const self = Deno.uid();
  for (const path of stagingParents(allowlist)) {
    using parent = openIfThere(root, path);
    if (parent === undefined || !parent.isWritable()) continue;
    for (const name of parent.names()) {
      if (!name.startsWith(PREFIX)) continue;
      const found = parent.stat(name);
      if (found?.type !== "directory" || found.uid !== self || found.mode !== PRIVATE) continue;
      using staging = parent.child(name);
      using lock = staging.tryLock(LOCK);
      if (lock === undefined) continue;
      const shown = fromByteString(join(path, name));
      log.info("Removing what an interrupted run left behind", { staging: shown });
      rollBack(root, staging, allowlist);
      removeTree(parent, name);
    }
  }
}

function stagingParents(allowlist: Allowlist): ByteString[] {
  return ["", ...allowlist.fixedRoots];
}

function openIfThere(root: Directory, path: ByteString): Directory | undefined {
  try {
    return root.descend(path);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
