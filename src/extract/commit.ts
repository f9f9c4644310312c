import { type ByteString, fromByteString } from "../bytes.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Directory } from "../os/directory.ts";
import type { NodeStat } from "../os/node_stat.ts";
import type { Allowlist } from "./allowlist.ts";
import { copyNode } from "./copy.ts";
import { DirectoryCache } from "./directory_cache.ts";
import { ImagePaths } from "./image_paths.ts";
import { COMMITTED, COMMITTING, PLAN, type Put, putLine, readJournal } from "./journal.ts";
import { LineWriter } from "./line_file.ts";
import { basename, dirname, isWithin, join } from "./path.ts";
import { rollBack } from "./roll_back.ts";
import { BACKUP, StagePlaces, TREE } from "./stage_places.ts";
import { Staging } from "./staging.ts";

/** A volume's files are their owner's, not the image's (contract section 4). */
const VOLUME = "data";

/** Where a part of the tree waits: in the staging directory, or beside its target on another mount. */
interface Stage {
  readonly mount: string;
  /** Undefined: the staging directory's own tree, or none was needed yet. */
  extra: Staging | undefined;
  copies: number;
}

/**
 * Puts a finished tree in place: first every step is planned and every conflict found, then the
 * steps are taken, each a rename. The journal lets a failure, or the next run after a kill, take
 * back what was done.
 */
export class Commit implements Disposable {
  readonly #root: Directory;
  readonly #staging: Staging;
  readonly #tree: Directory;
  readonly #allowlist: Allowlist;
  readonly #log: Logger;
  readonly #rootPath: string;
  readonly #links: ImagePaths;
  readonly #journal: LineWriter;
  readonly #extraStages: Staging[] = [];
  readonly #merged = new Set<ByteString>();
  readonly #redirected = new Map<ByteString, ByteString>();
  #backups = 0;

  constructor(
    options: {
      readonly root: Directory;
      readonly rootPath: string;
      readonly staging: Staging;
      readonly allowlist: Allowlist;
      readonly log: Logger;
    },
  ) {
    this.#root = options.root;
    this.#rootPath = options.rootPath;
    this.#staging = options.staging;
    this.#allowlist = options.allowlist;
    this.#log = options.log;
    this.#tree = options.staging.directory.child(TREE);
    this.#journal = new LineWriter(options.staging.directory.create(PLAN));
    this.#links = new ImagePaths((path) => this.#linkInRoot(path));
  }

  /** Finds every step. @throws {RunnerError} 73 where the root has what cannot give way */
  plan(): void {
    const { directory } = this.#staging;
    directory.mkdir(BACKUP, 0o700);
    const stage: Stage = { mount: directory.statSelf().mount, extra: undefined, copies: 0 };
    this.#planDirectory(this.#tree, this.#root, "", "", stage);
    this.#journal.close();
  }

  /** Takes every step, or none: on an error those taken are taken back. */
  execute(): void {
    const { directory } = this.#staging;
    directory.take(directory, PLAN, COMMITTING);
    const targets = new DirectoryCache(this.#root);
    const places = new StagePlaces(this.#root, directory);
    try {
      for (const step of readJournal(directory, COMMITTING)) {
        if (typeof step !== "string") put(step, targets, places);
      }
    } finally {
      targets.clear();
      places.clear();
    }
  }

  /** Where a directory of the image's tree is now, if the image made it: not if it was there before. */
  made(path: ByteString): ByteString | undefined {
    const target = this.#redirect(path);
    return this.#merged.has(target) ? undefined : target;
  }

  /** From here on nothing is taken back. */
  done(): void {
    this.#staging.directory.take(this.#staging.directory, COMMITTING, COMMITTED);
  }

  /** Takes back what {@linkcode execute} did, after a failure. */
  rollBack(): void {
    rollBack(this.#root, this.#staging.directory, this.#allowlist);
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
    for (const stage of this.#extraStages) stage[Symbol.dispose]();
  }

  #planDirectory(
    from: Directory,
    to: Directory,
    fromPath: ByteString,
    toPath: ByteString,
    stage: Stage,
  ): void {
    for (const name of from.names()) {
      const node = from.stat(name)!;
      const there = to.stat(name);
      const source = join(fromPath, name);
      const target = join(toPath, name);
      if (there === undefined) {
        this.#put(from, node, source, target, to, stage, false);
      } else if (node.type === "directory" && there.type === "directory") {
        this.#merge(from, to, source, target, name, stage);
      } else if (node.type === "directory" && there.type === "symlink") {
        this.#mergeThroughLink(from, source, target, name, stage);
      } else if (isWithin(target, VOLUME)) {
        this.#log.debug("Keeping a file of the volume", { path: "/" + fromByteString(target) });
      } else if (there.type === "directory") {
        this.#conflict(target, `it is a directory where the image has a ${node.type}`);
      } else {
        this.#put(from, node, source, target, to, stage, true);
      }
    }
  }

  #merge(
    from: Directory,
    to: Directory,
    source: ByteString,
    target: ByteString,
    name: ByteString,
    stage: Stage,
  ): void {
    using inner = from.child(name);
    using existing = to.child(name);
    this.#merged.add(target);
    this.#planDirectory(inner, existing, source, target, stageFor(existing, stage));
  }

  /** The root has a link where the image has a directory: it is followed to an allowed directory. */
  #mergeThroughLink(
    from: Directory,
    source: ByteString,
    link: ByteString,
    name: ByteString,
    stage: Stage,
  ): void {
    const target = this.#links.resolve(link);
    if (this.#allowlist.place(target) !== "inside") {
      this.#conflict(
        link,
        `it is a symbolic link to "/${fromByteString(target)}", which is not an allowed path; ` +
          "replace it by a directory or add its target with RUNNER_PATHS",
      );
    }
    let existing: Directory;
    try {
      existing = this.#root.descend(target);
    } catch {
      this.#conflict(link, `it is a symbolic link to "/${fromByteString(target)}", no directory`);
    }
    using _ = existing;
    using inner = from.child(name);
    this.#merged.add(target);
    this.#redirected.set(source, target);
    this.#planDirectory(inner, existing, source, target, stageFor(existing, stage));
  }

  #put(
    from: Directory,
    node: NodeStat,
    source: ByteString,
    target: ByteString,
    to: Directory,
    stage: Stage,
    replaces: boolean,
  ): void {
    if (this.#allowlist.place(target) === "outside") {
      this.#conflict(target, "a symbolic link of the root leads there, and it is no allowed path");
    }
    let planned: Put = { target, source, stage: undefined, backup: undefined };
    if (node.mount !== stage.mount) {
      planned = { ...planned, ...this.#copyBeside(from, source, target, to, stage) };
    }
    if (replaces) planned = { ...planned, backup: String(this.#backups++) };
    this.#journal.append(putLine(planned));
  }

  /** What another mount shall have must be on it before it can be moved into place at once. */
  #copyBeside(
    from: Directory,
    source: ByteString,
    target: ByteString,
    to: Directory,
    stage: Stage,
  ): Pick<Put, "source" | "stage"> {
    const extra = stage.extra ??= this.#stageBeside(to, dirname(target));
    const copy = String(stage.copies++);
    using tree = extra.directory.child(TREE);
    copyNode(from, basename(source), tree, copy);
    return { source: copy, stage: join(extra.parentPath, extra.name) };
  }

  #stageBeside(to: Directory, path: ByteString): Staging {
    const stage = Staging.create(to.descend(""), path);
    this.#extraStages.push(stage);
    this.#journal.append(["stage", join(path, stage.name)]);
    // Found again after a kill only if the journal has it on disk.
    this.#journal.flush();
    stage.directory.mkdir(TREE, 0o700);
    stage.directory.mkdir(BACKUP, 0o700);
    return stage;
  }

  #linkInRoot(path: ByteString): ByteString | undefined {
    let parent: Directory;
    try {
      parent = this.#root.descend(dirname(path));
    } catch {
      return undefined;
    }
    using _ = parent;
    const name = basename(path);
    if (parent.stat(name)?.type !== "symlink") return undefined;
    const target = parent.readlink(name);
    if (target.startsWith("/") && this.#rootPath !== "/") {
      this.#conflict(path, `it is a symbolic link that leaves "${this.#rootPath}"`);
    }
    return target;
  }

  #redirect(path: ByteString): ByteString {
    if (this.#redirected.size === 0) return path;
    for (let at = path; at !== ""; at = dirname(at)) {
      const target = this.#redirected.get(at);
      if (target !== undefined) return target + path.slice(at.length);
    }
    return path;
  }

  #conflict(path: ByteString, why: string): never {
    throw new RunnerError(
      Exit.cannotWrite,
      `Cannot put "/${fromByteString(path)}" into "${this.#rootPath}": ${why}`,
    );
  }
}

function stageFor(directory: Directory, stage: Stage): Stage {
  const { mount } = directory.statSelf();
  return mount === stage.mount ? stage : { mount, extra: undefined, copies: 0 };
}

function put(step: Put, targets: DirectoryCache, places: StagePlaces): void {
  const name = basename(step.target);
  const parent = targets.get(dirname(step.target))!;
  if (step.backup !== undefined) places.backup(step)!.take(parent, name, step.backup);
  parent.take(places.tree(step)!, basename(step.source), name);
}
