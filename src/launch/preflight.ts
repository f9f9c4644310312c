import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import { Allowlist } from "../extract/allowlist.ts";
import type { ImageConfig } from "../image/types.ts";
import type { Logger } from "../log.ts";
import { whyNotWritable } from "../os/access.ts";
import { type Facts, type FileFacts, under } from "./facts.ts";

export interface Preflight {
  readonly settings: Settings;
  readonly facts: Facts;
  /** The runner's own user. */
  readonly uid: number;
  readonly log: Logger;
  /** @default asks the kernel */
  readonly whyNot?: (directory: string) => string | undefined;
}

/** A directory that an image may bring and that cannot be written, with the reason. */
export interface Unwritable {
  /** Of the image: `/app`. */
  readonly path: string;
  readonly why: string;
}

/**
 * Says what cannot be written before anything is downloaded (issue: a plain user, a read-only root).
 *
 * @returns what cannot be written while other directories can: whether the image needs it is not
 * known yet
 * @throws {RunnerError} 73 when nothing can be written
 */
export function checkWritable(check: Preflight): readonly Unwritable[] {
  const { settings, facts, log, uid } = check;
  const whyNot = check.whyNot ?? whyNotWritable;
  const paths = new Allowlist(settings.paths).fixedRoots.map((path) => `/${path}`);
  const unwritable = paths.flatMap((path): Unwritable[] => {
    const why = whyNot(nearest(under(settings.root, path), facts));
    return why === undefined ? [] : [{ path, why }];
  });
  if (unwritable.length === 0) return [];
  const message = unwritableMessage(settings.root, uid, unwritable);
  if (unwritable.length === paths.length) throw new RunnerError(Exit.cannotWrite, message);
  log.warn(`${message} (an image that needs none of them still runs)`);
  return unwritable;
}

/**
 * The same once the config is known: where the program or the working directory is in a directory
 * that cannot be written, the pull can only fail.
 *
 * @throws {RunnerError} 73
 */
export function checkImageWritable(
  { settings, uid }: Preflight,
  config: ImageConfig,
  unwritable: readonly Unwritable[],
): void {
  const needed = [config.workingDir, config.entrypoint[0], config.cmd[0]].flatMap((path) =>
    path?.startsWith("/") ? [under("/", path)] : []
  );
  const fatal = unwritable.filter(({ path }) =>
    needed.some((need) => need === path || need.startsWith(`${path}/`))
  );
  if (fatal.length > 0) {
    throw new RunnerError(Exit.cannotWrite, unwritableMessage(settings.root, uid, fatal));
  }
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes sure that the server's user can get as far as a root that is not `/`.
 *
 * @throws {RunnerError} 64 when a directory above it keeps the user out
 */
export function checkReach({ settings, facts }: Preflight, user: Identity): void {
  const { root } = settings;
  if (root === "/" || user.uid === 0) return;
  const names = root.split("/").slice(1, -1);
  const parents = ["/", ...names.map((_, i) => `/${names.slice(0, i + 1).join("/")}`)];
  for (const parent of parents) {
    const info = facts.stat(parent);
    if (info === undefined || maySearch(info, user)) continue;
    throw new RunnerError(
      Exit.settings,
      `RUNNER_ROOT "${root}" is out of reach for the server's user ${user.uid}: "${parent}" has ` +
        `mode ${octal(info.mode)}: choose another RUNNER_ROOT, or chmod o+x "${parent}"`,
    );
  }
}

/**
 * Opens a root that is not `/` to the server's user: `mktemp -d` makes it for its owner alone, so
 * search permission is added to that one directory. Done when the run can no longer fail for the
 * image's sake, since a failed run leaves the root as it was.
 */
export function openRoot(
  { settings, facts, log }: Preflight,
  user: Identity,
  chmod: (path: string, mode: number) => void = Deno.chmodSync,
): void {
  const { root } = settings;
  const info = facts.stat(root);
  if (root === "/" || user.uid === 0 || info === undefined || maySearch(info, user)) return;
  chmod(root, info.mode | 0o001);
  log.info(`made "${root}" searchable for the server's user`, {
    uid: user.uid,
    mode: octal(info.mode | 0o001),
  });
}

/** capabilities(7): what changing groups and user takes. */
const NEEDED = { CAP_SETGID: 6n, CAP_SETUID: 7n } as const;

/**
 * Makes sure that a root without all its capabilities can still become another user.
 *
 * @param status `/proc/thread-self/status`
 * @throws {RunnerError} 64 naming what the container lacks
 */
export function checkCapabilities(status: string): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const lacking = Object.entries(NEEDED).filter(([, bit]) => ((effective >> bit) & 1n) === 0n);
  if (lacking.length === 0) return;
  throw new RunnerError(
    Exit.settings,
    `root cannot become another user here: the container lacks ${
      lacking.map(([name]) => name).join(" and ")
    }: add that, or start the container as the server's user (--user 1000)`,
  );
}

function maySearch(info: FileFacts, { uid, gid }: Identity): boolean {
  const shift = info.uid === uid ? 6 : info.gid === gid ? 3 : 0;
  return ((info.mode >> shift) & 1) !== 0;
}

/** The deepest directory on the way to a path that exists: where the next one would be made. */
function nearest(path: string, facts: Facts): string {
  let at = path;
  while (at !== "" && facts.stat(at) === undefined) at = at.slice(0, at.lastIndexOf("/"));
  return at === "" ? "/" : at;
}

function unwritableMessage(root: string, uid: number, unwritable: readonly Unwritable[]): string {
  const places = unwritable.map(({ path }) => under(root, path)).join(", ");
  const why = [...new Set(unwritable.map(({ why }) => why))].join(", ");
  return `uid ${uid} cannot write ${places}: ${why}: set RUNNER_ROOT to a directory it can ` +
    `write, or give it these in the Dockerfile (chown ${uid})`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
