import type { TarEntry, TarHandler } from "../archive/tar/entry.ts";
import type { Directory } from "../os/directory.ts";
import type { FileWriter } from "../os/file.ts";
import { finishFile } from "./layer_sink.ts";
import type { Ownership } from "./ownership.ts";
import type { WantedEntry } from "./layer_task.ts";

/** Takes the content of single entries of a layer in a second read; the rest passes by. */
export class FillSink implements TarHandler {
  readonly #files: Directory;
  readonly #wanted: ReadonlyMap<number, WantedEntry>;
  readonly #ownership: Ownership | undefined;
  #entries = 0;
  #current: { entry: TarEntry; wanted: WantedEntry; file: FileWriter } | undefined;

  constructor(
    files: Directory,
    wanted: readonly WantedEntry[],
    ownership: Ownership | undefined,
  ) {
    this.#files = files;
    this.#wanted = new Map(wanted.map((entry) => [entry.entry, entry]));
    this.#ownership = ownership;
  }

  entry(entry: TarEntry): boolean {
    const wanted = this.#wanted.get(this.#entries++);
    if (wanted === undefined) return false;
    this.#current = { entry, wanted, file: this.#files.openWriter(wanted.file) };
    return true;
  }

  content(bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    this.#current!.file.write(bytes, offset);
  }

  end(): void {
    const { entry, wanted, file } = this.#current!;
    const server = wanted.serverOwned ? this.#ownership?.server : undefined;
    finishFile(file, entry, this.#ownership === undefined ? undefined : server ?? entry);
  }
}
