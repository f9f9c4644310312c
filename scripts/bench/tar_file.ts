import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
// @ts-types="npm:@types/tar-stream@3.1.5"
import { type Headers, pack } from "tar-stream";
import type { Tree } from "./tree.ts";

/** 2026-01-01: a fixed time makes the same image the same digest. */
const MTIME = new Date(Date.UTC(2026, 0, 1));

/** Writes one layer's tar to a file and notes what it holds, as {@linkcode Tree} has it. */
export class TarFile {
  readonly #archive = pack();
  readonly #written: Promise<void>;
  readonly #tree: Tree;
  /** Bytes of content. */
  size = 0;
  entries = 0;

  constructor(path: string, tree: Tree) {
    this.#tree = tree;
    const file = createWriteStream(path);
    this.#archive.pipe(file);
    this.#written = finished(file);
  }

  async directory(name: string): Promise<void> {
    await this.#add({ name, type: "directory", mode: 0o755 });
    this.#tree.set(name, "directory");
  }

  async symlink(name: string, target: string): Promise<void> {
    await this.#add({ name, type: "symlink", mode: 0o777, linkname: target });
    this.#tree.set(name, `symlink ${target}`);
  }

  /** @param parts the content, in pieces that need not fit into memory together */
  async file(name: string, mode: number, size: number, parts: Iterable<Uint8Array>): Promise<void> {
    const hash = createHash("sha256");
    const done = Promise.withResolvers<void>();
    const entry = this.#archive.entry(
      { name, mode, size, ...COMMON },
      (error) => error ? done.reject(error) : done.resolve(),
    );
    for (const part of parts) {
      hash.update(part);
      const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      if (!entry.write(bytes)) await new Promise((resolve) => entry.once("drain", resolve));
    }
    entry.end();
    await done.promise;
    this.size += size;
    this.entries++;
    this.#tree.set(name, `file ${mode.toString(8)} ${size} ${hash.digest("hex")}`);
  }

  async close(): Promise<void> {
    this.#archive.finalize();
    await this.#written;
  }

  #add(header: Headers): Promise<void> {
    this.entries++;
    return new Promise((resolve, reject) => {
      this.#archive.entry(
        { ...COMMON, ...header },
        (error) => error ? reject(error) : resolve(),
      );
    });
  }
}

const COMMON = { mtime: MTIME, uid: 0, gid: 0 };
