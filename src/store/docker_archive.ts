import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { Exit, RunnerError } from "../errors.ts";
import { ConfigDocument } from "../image/documents.ts";
import { parseDocument } from "../image/parse.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import { type Digest, parseDigest } from "../reference/digest.ts";
import { formatReference, parseReference } from "../reference/reference.ts";
import { formatImageSource } from "../reference/source.ts";
import { documentDigest } from "../registry/document.ts";
import { shownText } from "../registry/redact.ts";
import { readLimited } from "../registry/reply.ts";
import { parseJson } from "../registry/wire.ts";
import { magicOf } from "./byte_source.ts";
import type { FileSet, StoredFile } from "./files.ts";
import type { LocalContent } from "./local_store.ts";
import type { LocalSpec, ManifestDocument } from "./store.ts";

/** `manifest.json` of `docker save`. */
const ArchiveDocument = z.array(z.object({
  Config: z.string(),
  RepoTags: z.nullish(z.array(z.string())),
  Layers: z.array(z.string()),
}));
type ArchivedImage = z.infer<typeof ArchiveDocument>[number];

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG = "application/vnd.docker.container.image.v1+json";
const LAYER = "application/vnd.docker.image.rootfs.diff.tar";
/** Read whole; `RUNNER_MAX_CONFIG` applies to it again when the image is resolved. */
const MAX_CONFIG = 64 * 1024 * 1024;

/**
 * An archive of `docker save`. It has no manifest, so one is made: the layers are uncompressed tars
 * whose digests are the config's diff IDs; one that is compressed all the same is hashed first.
 */
export class DockerArchive implements LocalContent {
  readonly #files: FileSet;
  readonly #spec: LocalSpec;
  readonly #name: string;
  /** By digest, once the manifest was made. */
  readonly #blobs = new Map<string, StoredFile>();
  #made: Promise<ManifestDocument> | undefined;

  constructor(files: FileSet, spec: LocalSpec) {
    this.#files = files;
    this.#spec = spec;
    this.#name = formatImageSource(spec);
  }

  manifest(reference: Digest | undefined): Promise<ManifestDocument> {
    if (reference !== undefined) throw this.#wrong(`it has no manifest "${reference}"`);
    this.#made ??= this.#make();
    return this.#made;
  }

  async blob({ digest }: Descriptor): Promise<StoredFile> {
    await this.manifest(undefined);
    const file = this.#blobs.get(digest);
    if (file === undefined) throw this.#wrong(`it has no blob "${digest}"`);
    return file;
  }

  async #make(): Promise<ManifestDocument> {
    const image = this.#choose(await this.#images());
    const configFile = await this.#file(image.Config);
    const configBytes = await readLimited(configFile.read(), MAX_CONFIG);
    if (configBytes === undefined) throw this.#wrong(`config "${image.Config}" is too large`);
    const config = {
      mediaType: CONFIG,
      digest: await documentDigest(configBytes),
      size: configFile.size,
    };
    this.#blobs.set(config.digest, configFile);

    const { rootfs } = parseDocument("config", config.digest, configBytes, ConfigDocument);
    const layers: Descriptor[] = [];
    for (const [i, path] of image.Layers.entries()) {
      const file = await this.#file(path);
      const layer = await describeLayer(file, rootfs.diff_ids?.[i]);
      this.#blobs.set(layer.digest, file);
      layers.push(layer);
    }
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers };
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    return { mediaType: MANIFEST, digest: await documentDigest(bytes), bytes };
  }

  async #images(): Promise<ArchivedImage[]> {
    const file = await this.#files.file("manifest.json");
    if (file === undefined) throw this.#wrong(`it is not of "docker save": no manifest.json`);
    const bytes = await readLimited(file.read(), this.#spec.maxManifestSize);
    if (bytes === undefined) {
      throw this.#wrong("its manifest.json is too large: set RUNNER_MAX_MANIFEST if that is right");
    }
    const images = parseJson(new TextDecoder().decode(bytes), ArchiveDocument);
    if (images === undefined) throw this.#wrong(`its manifest.json is not of "docker save"`);
    return images;
  }

  #choose(images: readonly ArchivedImage[]): ArchivedImage {
    const { tag } = this.#spec;
    const index = /^@(\d+)$/.exec(tag ?? "")?.[1];
    const found = tag === undefined
      ? images
      : index !== undefined
      ? images.slice(Number(index), Number(index) + 1)
      : images.filter(({ RepoTags }) => RepoTags?.some((name) => sameName(name, tag)));
    if (found[0] !== undefined && found.length === 1) return found[0];
    const listed = images.map(({ RepoTags }, i) => RepoTags?.[0] ?? `@${i}`).join(", ");
    throw new RunnerError(
      found.length === 0 ? Exit.unavailable : Exit.settings,
      found.length === 0
        ? `read "${this.#name}": no such image: it has "${shownText(listed, 500)}"`
        : `read "${this.#name}": it holds several images: add one of these as :NAME: ` +
          shownText(listed, 500),
    );
  }

  async #file(name: string): Promise<StoredFile> {
    const file = await this.#files.file(name);
    if (file === undefined) throw this.#wrong(`it has no "${shownText(name, 100)}"`);
    return file;
  }

  #wrong(problem: string): RunnerError {
    return new RunnerError(Exit.data, `read "${this.#name}": ${problem}`);
  }
}

async function describeLayer(file: StoredFile, diffId: string | undefined): Promise<Descriptor> {
  const compression = await compressionOf(file);
  if (compression === undefined && diffId !== undefined) {
    return { mediaType: LAYER, digest: parseDigest(diffId), size: file.size };
  }
  const hash = createHash("sha256");
  for await (const chunk of file.read()) hash.update(chunk);
  const mediaType = compression === undefined ? LAYER : `${LAYER}.${compression}`;
  return { mediaType, digest: parseDigest(`sha256:${hash.digest("hex")}`), size: file.size };
}

async function compressionOf(file: StoredFile): Promise<"gzip" | "zstd" | undefined> {
  for await (const chunk of file.read()) return magicOf(chunk);
  return undefined;
}

/** Names as Docker compares them: `app` and `docker.io/library/app:latest` are one. */
function sameName(a: string, b: string): boolean {
  try {
    return formatReference(parseReference(a)) === formatReference(parseReference(b));
  } catch {
    return a === b;
  }
}
