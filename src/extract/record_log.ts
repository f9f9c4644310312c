import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { LineWriter, readLines } from "./line_file.ts";
import { dirname } from "./path.ts";
import { PathSet, type SharedPaths } from "./path_set.ts";
import { LEFT_OUT_SYMLINK, LINK, type Record } from "./record.ts";

/** Directories of left-out entries that are told apart; with more, all are looked at. */
const MAX_DIRECTORIES = 32_768;

/**
 * The logs of a layer, kept apart since most layers are merged without reading the large ones:
 * - `left-out`: files and directories that are left out, which rarely matter to anything
 * - `named`: what the layer's named nodes say by themselves where whole directories can be moved
 * - `other`: everything else
 */
export type RecordKind = "left-out" | "named" | "other";
export const RECORD_KINDS: readonly RecordKind[] = ["left-out", "named", "other"];

/** What a layer's left-out entries could matter to, known without reading them. */
export interface LeftOutSummary {
  /**
   * The directories they are in, or are, and all above those; undefined: too many to tell apart.
   */
  readonly directories: SharedPaths | undefined;
  /**
   * They matter by what the layer itself says: a link of its own leads out or lies on their way, or
   * they lie below something that is extracted.
   */
  readonly matterHere: boolean;
}

/** A record's number within its layer, so that several logs can be read as one. */
type Numbered = readonly [number: number, record: Record];

/** Writes a layer's records. */
export class RecordWriter {
  readonly #logs: Readonly<{ [Kind in RecordKind]: LineWriter }>;
  readonly #isInside: (path: ByteString) => boolean;
  #count = 0;
  #directories: PathSet | undefined = new PathSet();
  #lastDirectory: ByteString | undefined;
  /** Left-out symbolic links. */
  readonly #links = new PathSet();
  #matter = false;

  /**
   * @param directory takes the logs
   * @param isInside whether a path is one that is extracted
   */
  constructor(directory: Directory, isInside: (path: ByteString) => boolean) {
    const log = (kind: RecordKind) => new LineWriter(directory.create(kind));
    this.#logs = { "left-out": log("left-out"), named: log("named"), other: log("other") };
    this.#isInside = isInside;
  }

  append(kind: "named" | "other", record: Record): void {
    this.#append(kind, record);
    if (record[0] === LINK) {
      this.#matter ||= !this.#isInside(record[1]) || !this.#isInside(record[2]);
    } else if (record[0] === LEFT_OUT_SYMLINK && this.#links.size < MAX_DIRECTORIES) {
      this.#links.add(record[1]);
      this.#addDirectory(dirname(record[1]));
    }
  }

  /** A file or directory that is left out. @param directory what links could lead to it through */
  appendLeftOut(record: Record, directory: ByteString): void {
    this.#append("left-out", record);
    this.#addDirectory(directory);
  }

  close(): LeftOutSummary {
    for (const kind of RECORD_KINDS) this.#logs[kind].close();
    const onTheWay = this.#links.size === MAX_DIRECTORIES ||
      this.#directories?.meets(this.#links) === true;
    return { directories: this.#directories?.shared, matterHere: this.#matter || onTheWay };
  }

  #append(kind: RecordKind, record: Record): void {
    this.#logs[kind].append([this.#count++, record] satisfies Numbered);
  }

  #addDirectory(directory: ByteString): void {
    if (directory === this.#lastDirectory) return;
    this.#lastDirectory = directory;
    for (let at = directory; at !== "" && this.#directories?.add(at) === true; at = dirname(at)) {
      this.#matter ||= this.#isInside(at);
      if (this.#directories.size === MAX_DIRECTORIES) this.#directories = undefined;
    }
  }
}

/** A layer's records of some kinds, in the order of its entries. */
export function* readRecords(
  directory: Directory,
  kinds: readonly RecordKind[],
): Generator<Record> {
  using files = new DisposableStack();
  const logs = kinds.map((kind) => {
    const file = files.use(directory.open(kind));
    // Written by this process in its private directory: the types are what record.ts says.
    const records = readLines(file) as Generator<Numbered>;
    return { records, next: records.next() };
  });
  while (true) {
    let first: typeof logs[number] | undefined;
    for (const log of logs) {
      if (log.next.done === true) continue;
      if (first === undefined || log.next.value[0] < first.next.value[0]) first = log;
    }
    if (first === undefined) return;
    yield first.next.value[1];
    first.next = first.records.next();
  }
}
