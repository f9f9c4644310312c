import { Exit, reason, RunnerError } from "../errors.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import type { Digest } from "../reference/digest.ts";
import { formatImageSource } from "../reference/source.ts";
import { DockerArchive } from "./docker_archive.ts";
import { directoryFiles, type StoredFile } from "./files.ts";
import { OciLayout } from "./oci_layout.ts";
import type { ImageStore, LocalSpec, ManifestDocument } from "./store.ts";
import { tarFiles } from "./tar_files.ts";

/** What a local source holds, whatever its form. */
export interface LocalContent {
  manifest(reference: Digest | undefined): Promise<ManifestDocument>;
  blob(descriptor: Descriptor): Promise<StoredFile>;
}

/** An image on disk: a layout or an archive, opened when it is first asked. */
export class LocalStore implements ImageStore {
  readonly spec: LocalSpec;
  readonly #name: string;
  readonly #signal: AbortSignal | undefined;
  #closed = false;
  #content: Promise<LocalContent> | undefined;

  constructor(spec: LocalSpec, signal?: AbortSignal) {
    this.spec = spec;
    this.#name = formatImageSource(spec);
    this.#signal = signal;
  }

  close(): void {
    this.#closed = true;
  }

  async manifest(reference?: Digest): Promise<ManifestDocument> {
    return await this.#reading(async () => (await this.#open()).manifest(reference));
  }

  ahead(): void {
    // A file is there when it is read.
  }

  async *blob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const { digest, size } = descriptor;
    const file = await this.#reading(async () => (await this.#open()).blob(descriptor));
    if (file.size !== size) {
      throw new RunnerError(
        Exit.data,
        `read "${this.#name}": blob "${digest}" has ${file.size} bytes, not the ${size} of the ` +
          `manifest`,
      );
    }
    const chunks = file.read()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#reading(() => chunks.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await chunks.return?.();
    }
  }

  #open(): Promise<LocalContent> {
    this.#content ??= openContent(this.spec);
    return this.#content;
  }

  /** Runs one step of reading: what the system says becomes one line about this source. */
  async #reading<T>(step: () => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    if (this.#closed) throw new DOMException("the store is closed", "AbortError");
    try {
      return await step();
    } catch (error) {
      if (error instanceof RunnerError) throw error;
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
        throw new RunnerError(
          Exit.unavailable,
          `read "${this.#name}": there is no "${this.spec.path}"`,
        );
      }
      const io = error instanceof Deno.errors.PermissionDenied;
      // Else it is the decompressor that the archive does not please.
      throw new RunnerError(
        io ? Exit.unavailable : Exit.data,
        `read "${this.#name}": ${reason(error)}`,
        { cause: error },
      );
    }
  }
}

async function openContent(spec: LocalSpec): Promise<LocalContent> {
  const info = await Deno.stat(spec.path);
  const directory = spec.kind === "oci";
  if (info.isDirectory !== directory) {
    throw new RunnerError(
      Exit.settings,
      `read "${formatImageSource(spec)}": "${spec.path}" is ${
        directory ? "not a directory: for a file use oci-archive:" : "a directory: use oci:"
      }`,
    );
  }
  if (directory) return new OciLayout(directoryFiles(spec.path), spec);
  const files = await tarFiles(spec.path);
  return spec.kind === "oci-archive" ? new OciLayout(files, spec) : new DockerArchive(files, spec);
}
