import type { FileReader, FileWriter } from "../os/file.ts";

/** Characters gathered or split at once: more would outlive their time in young memory. */
const WRITE_AT = 1024;
const READ_SIZE = 8 * 1024;

const encoder = new TextEncoder();

/**
 * Appends JSON values to a file, one a line. What must not grow in memory with an image (its
 * entries, the times of its directories, the steps of a commit) is kept so.
 */
export class LineWriter {
  readonly #file: FileWriter;
  #lines = "";

  constructor(file: FileWriter) {
    this.#file = file;
  }

  append(value: unknown): void {
    this.#lines += JSON.stringify(value) + "\n";
    if (this.#lines.length >= WRITE_AT) this.flush();
  }

  flush(): void {
    this.#file.write(encoder.encode(this.#lines));
    this.#lines = "";
  }

  close(): void {
    this.flush();
    this.#file.close();
  }
}

/** The values of a file that a {@linkcode LineWriter} wrote, in order; a cut last line is left out. */
export function* readLines(file: FileReader): Generator<unknown> {
  const buffer = new Uint8Array(READ_SIZE);
  const decoder = new TextDecoder();
  let offset = 0;
  let partial = "";
  while (true) {
    const size = file.read(buffer, offset);
    if (size === 0) return;
    offset += size;
    const lines = (partial + decoder.decode(buffer.subarray(0, size), { stream: true })).split(
      "\n",
    );
    partial = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}
