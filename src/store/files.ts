import { fileSource } from "./byte_source.ts";

/** One file of a local source. */
export interface StoredFile {
  /** In bytes. */
  readonly size: number;
  /** Its bytes in chunks; leaving the loop closes it. */
  read(): AsyncIterable<Uint8Array>;
}

/** The files of a local source, in a directory or in an archive, by relative name. */
export interface FileSet {
  file(name: string): Promise<StoredFile | undefined>;
}

/** The files below a directory. Names must be of the caller's own making, not an image's. */
export function directoryFiles(dir: string): FileSet {
  return {
    async file(name) {
      const path = `${dir}/${name}`;
      try {
        const info = await Deno.stat(path);
        return info.isFile ? { size: info.size, read: () => fileSource(path).read(0) } : undefined;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
  };
}
