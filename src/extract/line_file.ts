import { type ByteString, byteString } from "../bytes.ts";
import type { FileReader, FileWriter } from "../os/file.ts";

const BUFFER = 64 * 1024;

/**
 * Appends JSON values to a file, one a line. What must not grow in memory with an image (its
 * entries, the times of its directories, the steps of a commit) is kept so.
 *
 * Strings are byte strings, which JSON leaves in one character a byte.
 */
export class LineWriter {
  readonly #file: FileWriter;
  #buffer = new Uint8Array(BUFFER);
  #size = 0;

  constructor(file: FileWriter) {
    this.#file = file;
  }

  append(value: unknown): void {
    const line = JSON.stringify(value) + "\n";
    if (this.#size + line.length > this.#buffer.length) {
      this.flush();
      if (line.length > this.#buffer.length) this.#buffer = new Uint8Array(line.length);
    }
    for (let i = 0; i < line.length; i++) this.#buffer[this.#size + i] = line.charCodeAt(i);
    this.#size += line.length;
  }

  flush(): void {
    this.#file.write(this.#buffer.subarray(0, this.#size));
    this.#size = 0;
  }

  close(): void {
    this.flush();
    this.#file.close();
  }
}

/** The values of a file that a {@linkcode LineWriter} wrote, in order; a cut last line is left out. */
export function* readLines(file: FileReader): Generator<unknown> {
  const buffer = new Uint8Array(BUFFER);
  let offset = 0;
  let partial: ByteString = "";
  while (true) {
    const size = file.read(buffer, offset);
    if (size === 0) return;
    offset += size;
    const lines = (partial + byteString(buffer, 0, size)).split("\n");
    partial = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}
