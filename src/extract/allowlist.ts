import { type ByteString, toByteString } from "../bytes.ts";
import { cleanPath, dirname, isWithin } from "./path.ts";

/** Contract section 4; `*` stands for any rest of a name. */
const ALLOWED = [
  "app",
  "data",
  "home",
  "opt",
  "srv",
  "var/lib",
  "var/data",
  "usr/lib/python*/site-packages",
  "usr/local/lib/python*/site-packages",
  "usr/local/lib/node_modules",
];

/** Package managers' state describes the image's system, not the one it lands on. */
const PACKAGE_STATE = ["dpkg", "apt", "apk", "rpm", "pacman"].map((name) => `var/lib/${name}`);

/** Directories whose content belongs to the server's user (contract section 4). */
const SERVER_OWNED = ["app", "data"];

/**
 * Where a path stands to what may be written: in it, on the way to it, or neither.
 * Only `inside` is ever written; an `ancestor` is made when something inside needs it.
 */
export type Place = "inside" | "ancestor" | "outside";

/** Which paths of an image are extracted in overlay mode (contract section 4). */
export class Allowlist {
  readonly #patterns: readonly (readonly ByteString[])[];
  readonly #excluded: readonly ByteString[];
  /** As given, for a Worker to make its own. */
  readonly extra: readonly string[];

  /** @param extra absolute paths to allow besides, exactly and with all below them */
  constructor(extra: readonly string[]) {
    this.extra = extra;
    const added = extra.map((path) => cleanPath(toByteString(path)));
    this.#patterns = [...ALLOWED, ...added].map((path) => path === "" ? [] : path.split("/"));
    // A path the user adds by name is meant, package state or not.
    this.#excluded = PACKAGE_STATE.filter((path) => !added.some((root) => isWithin(root, path)));
  }

  /** Most paths are in the directory of the one before, which tells most of the answer. */
  #lastDirectory: ByteString = "";
  #lastPlace: Place = "ancestor";

  /** @param path cleaned */
  place(path: ByteString): Place {
    const directory = dirname(path);
    if (directory !== this.#lastDirectory) {
      this.#lastPlace = this.#find(directory);
      this.#lastDirectory = directory;
    }
    if (this.#lastPlace === "outside") return "outside";
    if (this.#lastPlace === "inside" && !this.#excluded.includes(path)) return "inside";
    return this.#find(path);
  }

  #find(path: ByteString): Place {
    const names = path === "" ? [] : path.split("/");
    let place: Place = "outside";
    for (const pattern of this.#patterns) {
      if (!agree(pattern, names)) continue;
      if (names.length < pattern.length) place = "ancestor";
      else if (!this.#excluded.some((excluded) => isWithin(path, excluded))) return "inside";
    }
    return place;
  }

  /** Whether what is written here is given to the server's user. */
  isServerOwned(path: ByteString): boolean {
    return SERVER_OWNED.some((root) => isWithin(path, root));
  }

  /** The allowed directories without wildcards, in order: where staging can be looked for. */
  get fixedRoots(): readonly ByteString[] {
    return this.#patterns.map((names) => names.join("/")).filter((path) => !path.includes("*"));
  }
}

/** Whether one lies on the way to the other, or is it. */
function agree(pattern: readonly ByteString[], names: readonly ByteString[]): boolean {
  const common = Math.min(pattern.length, names.length);
  for (let i = 0; i < common; i++) if (!matches(pattern[i]!, names[i]!)) return false;
  return true;
}

function matches(pattern: ByteString, name: ByteString): boolean {
  return pattern === name || pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1));
}
