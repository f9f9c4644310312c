import { createHash } from "node:crypto";
import { archive, type HeaderFields } from "../../tests/archive_builder.ts";
import type { Tree } from "./tree.ts";

const BLOCK = 512;
/** 2026-01-01: a fixed time makes the same image the same digest. */
const MTIME = Date.UTC(2026, 0, 1) / 1000;

/** Writes one layer's tar to a file and notes what it holds, as {@linkcode Tree} has it. */
export class TarFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #tree: Tree;
  /** Bytes of content. */
  size = 0;
  entries = 0;

  constructor(path: string, tree: Tree) {
    this.#file = Deno.openSync(path, { write: true, createNew: true });
    this.#tree = tree;
  }

  directory(path: string): void {
    this.#header({ path, flag: "5", mode: 0o755 });
    this.#tree.set(path, "directory");
  }

  symlink(path: string, target: string): void {
    this.#header({ path, flag: "2", mode: 0o777, link: target });
    this.#tree.set(path, `symlink ${target}`);
  }

  /** @param parts the content, in pieces that need not fit into memory together */
  file(path: string, mode: number, size: number, parts: Iterable<Uint8Array>): void {
    this.#header({ path, flag: "0", mode, size });
    const hash = createHash("sha256");
    for (const part of parts) {
      hash.update(part);
      this.#write(part);
    }
    this.#write(new Uint8Array((BLOCK - size % BLOCK) % BLOCK));
    this.size += size;
    this.#tree.set(path, `file ${mode.toString(8)} ${size} ${hash.digest("hex")}`);
  }

  /** Ends the archive. */
  [Symbol.dispose](): void {
    this.#write(new Uint8Array(2 * BLOCK));
    this.#file.close();
  }

  #header(fields: HeaderFields): void {
    this.entries++;
    this.#write(archive().entry({ mtime: MTIME, ...fields }).unfinished());
  }

  #write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(this.#file.writeSync(rest));
  }
}
