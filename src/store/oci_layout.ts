import * as z from "zod/mini";
import { Exit, RunnerError } from "../errors.ts";
import { IndexDocument } from "../image/documents.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../reference/digest.ts";
import { formatImageSource } from "../reference/source.ts";
import { documentDigest } from "../registry/document.ts";
import { shownText } from "../registry/redact.ts";
import { readLimited } from "../registry/reply.ts";
import { parseJson } from "../registry/wire.ts";
import type { FileSet, StoredFile } from "./files.ts";
import type { LocalContent } from "./local_store.ts";
import type { LocalSpec, ManifestDocument } from "./store.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
/** What BuildKit and containerd write the full name to. */
const IMAGE_NAME = "io.containerd.image.name";

const LayoutDocument = z.object({ imageLayoutVersion: z.literal("1.0.0") });

/** An OCI image layout (image-spec, image-layout) in a directory or an archive. */
export class OciLayout implements LocalContent {
  readonly #files: FileSet;
  readonly #spec: LocalSpec;
  readonly #name: string;

  constructor(files: FileSet, spec: LocalSpec) {
    this.#files = files;
    this.#spec = spec;
    this.#name = formatImageSource(spec);
  }

  async manifest(reference: Digest | undefined): Promise<ManifestDocument> {
    if (reference === undefined) return await this.#top();
    const bytes = await this.#read(blobName(reference), reference);
    const found = await documentDigest(bytes, reference);
    if (found !== reference) {
      throw this.#wrong(`manifest "${reference}" is not what its digest says: it has ${found}`);
    }
    return { mediaType: "", digest: reference, bytes };
  }

  async blob({ digest }: Descriptor): Promise<StoredFile> {
    const file = await this.#files.file(blobName(digest));
    if (file === undefined) throw this.#wrong(`it has no blob "${digest}"`);
    return file;
  }

  /** What the tag names; without one, the only image, or the images of all platforms at once. */
  async #top(): Promise<ManifestDocument> {
    await this.#checkLayout();
    const { tag } = this.#spec;
    const indexBytes = await this.#read("index.json");
    const index = parseJson(new TextDecoder().decode(indexBytes), IndexDocument);
    if (index === undefined) throw this.#wrong("its index.json is not an image index");
    const names = index.manifests.map(({ annotations }) =>
      annotations?.[REF_NAME] ?? annotations?.[IMAGE_NAME]
    );
    const chosen = tag === undefined
      ? index.manifests
      : index.manifests.filter((entry) =>
        entry.annotations?.[REF_NAME] === tag || entry.annotations?.[IMAGE_NAME] === tag
      );
    const [first] = chosen;
    if (first === undefined) {
      const listed = names.filter((name) => name !== undefined).join(", ");
      const has = listed === "" ? "none with a name" : `"${shownText(listed, 500)}"`;
      throw new RunnerError(Exit.unavailable, `read "${this.#name}": no such image: it has ${has}`);
    }
    if (chosen.length === 1) {
      const document = await this.manifest(first.digest);
      return { ...document, mediaType: first.mediaType };
    }
    if (new Set(chosen.map((entry) => entry.annotations?.[REF_NAME])).size > 1) {
      const listed = names.map((name) => name ?? "(no name)").join(", ");
      throw new RunnerError(
        Exit.settings,
        `read "${this.#name}": it holds several images: add one of these as :TAG: ` +
          shownText(listed, 500),
      );
    }
    // Several of one name, or of none: one image for several platforms.
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const bytes = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType, manifests: chosen }),
    );
    return { mediaType, digest: await documentDigest(bytes), bytes };
  }

  async #checkLayout(): Promise<void> {
    const file = await this.#files.file("oci-layout");
    if (file === undefined) throw this.#wrong("it is not an OCI image layout: no oci-layout file");
    const text = new TextDecoder().decode(await this.#read("oci-layout"));
    if (parseJson(text, LayoutDocument) === undefined) {
      throw this.#wrong("its oci-layout file does not say version 1.0.0");
    }
  }

  async #read(name: string, shown = name): Promise<Uint8Array<ArrayBuffer>> {
    const { maxManifestSize } = this.#spec;
    const file = await this.#files.file(name);
    if (file === undefined) throw this.#wrong(`it has no "${shown}"`);
    const bytes = await readLimited(file.read(), maxManifestSize);
    if (bytes !== undefined) return bytes;
    throw this.#wrong(
      `"${shown}" is larger than ${maxManifestSize} bytes: set RUNNER_MAX_MANIFEST if that is right`,
    );
  }

  #wrong(problem: string): RunnerError {
    return new RunnerError(Exit.data, `read "${this.#name}": ${problem}`);
  }
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
