import type { Directory } from "../os/directory.ts";

/** Shared directories below each other that are descended into; each holds two descriptors. */
const MAX_DEPTH = 64;

/**
 * Whether a layer's tree can be laid over another by moving what the other lacks and replacing
 * files and links by files and links: nothing changes its kind.
 */
export function canGraft(from: Directory, onto: Directory, depth = 0): boolean {
  if (depth > MAX_DEPTH) return false;
  for (const name of from.names()) {
    const there = onto.stat(name);
    if (there === undefined) continue;
    const isDirectory = from.stat(name)!.type === "directory";
    if (isDirectory !== (there.type === "directory")) return false;
    if (!isDirectory) continue;
    using fromChild = from.child(name);
    using ontoChild = onto.child(name);
    if (!canGraft(fromChild, ontoChild, depth + 1)) return false;
  }
  return true;
}

/** Does it; to be called only where {@linkcode canGraft} says so. */
export function graft(from: Directory, onto: Directory): void {
  // A file system may skip a name while others are taken away: it is over when none is left.
  for (let took = true; took;) {
    took = false;
    for (const name of from.names()) {
      if (onto.stat(name)?.type === "directory") {
        // One that was just moved is not in `from` any more, whatever the listing says.
        using fromChild = from.tryChild(name);
        if (fromChild === undefined) continue;
        using ontoChild = onto.child(name);
        graft(fromChild, ontoChild);
      } else {
        onto.take(from, name, name);
        took = true;
      }
    }
  }
}
