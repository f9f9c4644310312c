import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import type { Allowlist } from "./allowlist.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { COMMITTED, COMMITTING, PLAN, type Put, readJournal } from "./journal.ts";
import { basename, dirname } from "./path.ts";
import { removeTree } from "./remove.ts";
import { StagePlaces } from "./stage_places.ts";

/**
 * Takes back the steps of a commit that did not finish, and removes its stages on other mounts.
 * Steps are on paths that do not lie in each other, so their order does not matter; one that was
 * not taken, or was taken back already, is left alone.
 */
export function rollBack(root: Directory, staging: Directory, allowlist: Allowlist): void {
  const targets = new DirectoryCache(root);
  const places = new StagePlaces(root, staging);
  const stages: ByteString[] = [];
  for (const name of [PLAN, COMMITTING, COMMITTED]) {
    for (const step of readJournal(staging, name)) {
      if (typeof step === "string") stages.push(step);
      else if (name === COMMITTING && allowlist.place(step.target) !== "outside") {
        takeBack(step, targets, places);
      }
    }
  }
  targets.clear();
  places.clear();
  for (const stage of stages) {
    const parent = new DirectoryCache(root);
    const directory = parent.get(dirname(stage));
    if (directory !== undefined) removeTree(directory, basename(stage));
    parent.clear();
  }
}

function takeBack(step: Put, targets: DirectoryCache, places: StagePlaces): void {
  const name = basename(step.target);
  const parent = targets.get(dirname(step.target));
  const tree = places.tree(step);
  if (parent === undefined || tree === undefined) return;
  const source = basename(step.source);
  if (tree.stat(source) === undefined && parent.stat(name) !== undefined) {
    tree.take(parent, name, source);
  }
  if (step.backup === undefined) return;
  const backup = places.backup(step);
  if (backup?.stat(step.backup) !== undefined) parent.take(backup, step.backup, name);
}
