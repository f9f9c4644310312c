import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { LineWriter, readLines } from "./line_file.ts";
import { dirname } from "./path.ts";
import { LEFT_OUT_SYMLINK, LINK, type Record } from "./record.ts";

/** Directories of left-out entries that are told apart; with more, all are looked at. */
const MAX_DIRECTORIES = 16_384;

/** What a layer's left-out entries could matter to, known without reading them. */
export interface LeftOutSummary {
  /** Directories they are in, or are; undefined: too many to name. */
  readonly directories: readonly ByteString[] | undefined;
  /** The layer itself has something they may matter to: a link that leads out, or one on their way. */
  readonly matterHere: boolean;
}

/**
 * Writes a layer's records to two files. Most entries of most images are files and directories
 * that are left out and that nothing refers to; they are kept apart so that they need not be read.
 */
export class RecordWriter {
  readonly #records: LineWriter;
  readonly #leftOut: LineWriter;
  readonly #isInside: (path: ByteString) => boolean;
  #count = 0;
  #directories: Set<ByteString> | undefined = new Set();
  #lastDirectory: ByteString | undefined;
  readonly #links = new Set<ByteString>();
  #linksOut = false;

  /** @param isInside whether a path is one that is extracted */
  constructor(
    directory: Directory,
    layer: number,
    isInside: (path: ByteString) => boolean,
  ) {
    this.#records = new LineWriter(directory.create(recordsName(layer)));
    this.#leftOut = new LineWriter(directory.create(leftOutName(layer)));
    this.#isInside = isInside;
  }

  append(record: Record): void {
    this.#count++;
    this.#records.append(record);
    if (record[0] === LINK) {
      this.#linksOut ||= !this.#isInside(record[1]) || !this.#isInside(record[2]);
    } else if (record[0] === LEFT_OUT_SYMLINK && this.#links.size < MAX_DIRECTORIES) {
      this.#links.add(record[1]);
    }
  }

  /** A file or directory that is left out. @param directory what links could lead to it through */
  appendLeftOut(record: Record, directory: ByteString): void {
    // With the number of records it comes after, so that both files can be read as one.
    this.#leftOut.append([this.#count, record]);
    if (directory === this.#lastDirectory) return;
    this.#lastDirectory = directory;
    this.#directories?.add(directory);
    if (this.#directories?.size === MAX_DIRECTORIES) this.#directories = undefined;
  }

  close(): LeftOutSummary {
    this.#records.close();
    this.#leftOut.close();
    const directories = this.#directories === undefined ? undefined : [...this.#directories];
    const onTheWay = this.#links.size === MAX_DIRECTORIES ||
      directories?.some((directory) => this.#passesLink(directory)) === true;
    return { directories, matterHere: this.#linksOut || onTheWay };
  }

  #passesLink(directory: ByteString): boolean {
    for (let at = directory; at !== ""; at = dirname(at)) if (this.#links.has(at)) return true;
    return false;
  }
}

/**
 * A layer's records in the order of its entries.
 *
 * @param leftOut whether those of plain left-out files and directories are among them
 */
export function* readRecords(
  directory: Directory,
  layer: number,
  leftOut: boolean,
): Generator<Record> {
  using file = directory.open(recordsName(layer));
  // Written by this process in its private directory: the types are what record.ts says.
  const records = readLines(file) as Generator<Record>;
  if (!leftOut) return yield* records;
  using leftOutFile = directory.open(leftOutName(layer));
  const others = readLines(leftOutFile) as Generator<readonly [number, Record]>;
  let other = others.next();
  let count = 0;
  const upToHere = function* () {
    for (; other.done !== true && other.value[0] <= count; other = others.next()) {
      yield other.value[1];
    }
  };
  yield* upToHere();
  for (const record of records) {
    yield record;
    count++;
    yield* upToHere();
  }
}

function recordsName(layer: number): ByteString {
  return `records-${layer}`;
}

function leftOutName(layer: number): ByteString {
  return `left-out-${layer}`;
}
