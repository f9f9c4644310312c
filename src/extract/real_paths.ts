import type { ByteString } from "../bytes.ts";
import type { Allowlist } from "./allowlist.ts";
import { ImagePaths, type LeftOutLink } from "./image_paths.ts";
import { basename, dirname, isWithin, join } from "./path.ts";
import type { PathSet } from "./path_set.ts";
import type { StagedTree } from "./staged_tree.ts";

/**
 * The real paths of entries: where a name of the image lies once the symbolic links on its way are
 * followed, those on disk and those the allowlist leaves out. Who changes a link says so.
 */
export class RealPaths {
  readonly #allowlist: Allowlist;
  readonly #tree: StagedTree;
  readonly #links: ImagePaths;
  /** The last entry's directory and its real path: most entries share their neighbour's. */
  #lastDirectory: ByteString | undefined;
  #lastReal: ByteString = "";
  #isLed = false;

  constructor(allowlist: Allowlist, tree: StagedTree) {
    this.#allowlist = allowlist;
    this.#tree = tree;
    this.#links = new ImagePaths((path) =>
      allowlist.place(path) === "inside" ? tree.linkAt(path) : undefined
    );
  }

  /** An entry's own path: its directory resolved, its name as it is. @throws {ArchiveError} */
  ofEntry(path: ByteString): ByteString {
    const directory = dirname(path);
    if (directory !== this.#lastDirectory) {
      this.#lastReal = this.#isPlain(directory) ? directory : this.#links.resolve(directory);
      this.#lastDirectory = directory;
    }
    return join(this.#lastReal, basename(path));
  }

  /** A directory's path. @throws {ArchiveError} */
  ofDirectory(path: ByteString): ByteString {
    return this.#links.resolve(path);
  }

  /** Whether any left-out link is among these paths. */
  mayLeadTo(paths: PathSet): boolean {
    return this.#links.anyAmong(paths);
  }

  /** A left-out link is or was on the way to something allowed: names may not be where they seem. */
  get isLed(): boolean {
    return this.#isLed;
  }

  /** The left-out symbolic link at a real path. */
  leftOut(path: ByteString): LeftOutLink | undefined {
    return this.#links.leftOut(path);
  }

  /** What is left out at a real path now: a symbolic link, or anything else. @throws {ArchiveError} */
  setLeftOut(path: ByteString, link: LeftOutLink | undefined): void {
    if (link === undefined) {
      if (this.#links.deleteLeftOut(path)) this.#forgetThrough(path);
      return;
    }
    this.#isLed ||= this.#allowlist.place(path) === "ancestor";
    this.#links.setLeftOut(path, link);
    this.#forgetThrough(path);
  }

  /** Everything left out at and below a real path is gone, but for what is spared. */
  deleteLeftOutBelow(path: ByteString, spares: (path: ByteString) => boolean): void {
    this.#links.deleteLeftOutBelow(path, spares);
    this.forget();
  }

  /** Something else is at a real path on disk. */
  changed(path: ByteString): void {
    if (this.#links.wasFollowed(path)) this.forget();
  }

  /** Links on disk have come or gone. */
  forget(): void {
    this.#links.forget();
    this.#lastDirectory = undefined;
  }

  /**
   * A left-out link has come or gone at a real path. Where no link was followed, names are real
   * paths, and only those below it mean something else now.
   */
  #forgetThrough(path: ByteString): void {
    const isBelow = this.#lastDirectory !== undefined && isWithin(this.#lastDirectory, path);
    if (isBelow || this.#links.followedAny) this.forget();
  }

  /** Whether a directory's own path is its real one, as far as can be told cheaply: most are. */
  #isPlain(path: ByteString): boolean {
    if (this.#links.mayLead(path)) return false;
    // Links on disk are all inside; what is outside by name has none of them on the way, unless
    // something inside is on the way itself.
    if (this.#allowlist.place(path) !== "inside" && !this.#passesInside(path)) return true;
    return this.#tree.get(path) !== undefined;
  }

  /** Package state lies outside below an allowed directory. */
  #passesInside(path: ByteString): boolean {
    for (let at = path; at !== ""; at = dirname(at)) {
      if (this.#allowlist.place(at) === "inside") return true;
    }
    return false;
  }
}
