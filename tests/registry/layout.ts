import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";

/**
 * Writes OCI image layouts (image-spec, image-layout): what tests and the demo serve, push and
 * pull. Needs nothing but Deno.
 */

export type Compression = "gzip" | "zstd" | "none";
export type MediaTypes = "oci" | "docker";

export interface LayerInput {
  /** An uncompressed tar: its bytes, or the path of a file, which is streamed. */
  readonly tar: Uint8Array | string;
  /** @default "gzip" */
  readonly compression?: Compression;
  /** gzip or zstd level. @default the library's own */
  readonly level?: number;
}

/** The `config` object of an image config, with its names on the wire. */
export interface ConfigInput {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
}

export interface PlatformInput {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
}

export interface ImageInput {
  /** Base layer first. */
  readonly layers: readonly LayerInput[];
  readonly config?: ConfigInput;
  /** @default linux on the host's architecture */
  readonly platform?: PlatformInput;
  /** The family of media types. @default "oci" */
  readonly mediaTypes?: MediaTypes;
}

/** Content by digest, as it stands in an index or a manifest. */
export interface WrittenDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: PlatformInput;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  readonly manifest: WrittenDescriptor;
  readonly config: WrittenDescriptor;
  /** Base layer first. */
  readonly layers: readonly (WrittenDescriptor & { readonly diffId: string })[];
}

const TYPES = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  },
} as const;

/** The host's platform in OCI's names. */
export const HOST_PLATFORM: PlatformInput = {
  os: "linux",
  architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
};

/**
 * Writes an image into the layout at `dir` (made if missing, added to if not) and, unless `tag` is
 * undefined, names it: `writeLayout(dir, { tag: "latest", config: { Cmd: ["/app/run"] }, layers:
 * [{ tar }] })`.
 */
export async function writeLayout(
  dir: string,
  input: ImageInput & { readonly tag: string | undefined },
): Promise<WrittenImage> {
  await initLayout(dir);
  const types = TYPES[input.mediaTypes ?? "oci"];
  const layers = [];
  for (const layer of input.layers) layers.push(await writeLayer(dir, layer, types));
  const platform = input.platform ?? HOST_PLATFORM;
  const config = await writeJson(dir, types.config, {
    created: "2026-01-01T00:00:00Z",
    ...platform,
    config: input.config ?? {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: "2026-01-01T00:00:00Z", created_by: "test" })),
  });
  const manifest = await writeJson(dir, types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const written = { manifest: { ...manifest, platform }, config, layers };
  if (input.tag !== undefined) await tagContent(dir, input.tag, written.manifest);
  return written;
}

/** Writes an index over `entries` and names it, if `tag` is given; its descriptor. */
export async function writeIndex(
  dir: string,
  entries: readonly WrittenDescriptor[],
  options: { readonly tag?: string; readonly mediaTypes?: MediaTypes } = {},
): Promise<WrittenDescriptor> {
  await initLayout(dir);
  const mediaType = TYPES[options.mediaTypes ?? "oci"].index;
  const index = await writeJson(dir, mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: entries,
  });
  if (options.tag !== undefined) await tagContent(dir, options.tag, index);
  return index;
}

/** Writes any JSON document as a blob: for manifests that are wrong on purpose. */
export async function writeJson(
  dir: string,
  mediaType: string,
  value: unknown,
): Promise<WrittenDescriptor> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await Deno.writeFile(blobPath(dir, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Makes `tag` name `content`, whatever it named before. */
export async function tagContent(
  dir: string,
  tag: string,
  content: WrittenDescriptor,
): Promise<void> {
  const path = `${dir}/index.json`;
  const index = JSON.parse(await Deno.readTextFile(path)) as { manifests: WrittenDescriptor[] };
  const others = index.manifests.filter((entry) => entry.annotations?.[REF_NAME] !== tag);
  const entry = { ...content, annotations: { ...content.annotations, [REF_NAME]: tag } };
  const manifests = [...others, entry];
  await Deno.writeTextFile(path, JSON.stringify({ ...index, manifests }));
}

/** Where the layout keeps the content with this digest. */
export function blobPath(dir: string, digest: string): string {
  return `${dir}/blobs/${digest.replace(":", "/")}`;
}

export const REF_NAME = "org.opencontainers.image.ref.name";

async function initLayout(dir: string): Promise<void> {
  await Deno.mkdir(`${dir}/blobs/sha256`, { recursive: true });
  await Deno.writeTextFile(`${dir}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const empty = { schemaVersion: 2, mediaType: TYPES.oci.index, manifests: [] };
  await Deno.writeTextFile(`${dir}/index.json`, JSON.stringify(empty), { createNew: true })
    .catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
}

async function writeLayer(
  dir: string,
  { tar, compression = "gzip", level }: LayerInput,
  types: (typeof TYPES)[MediaTypes],
): Promise<WrittenDescriptor & { diffId: string }> {
  const plain = new HashingStream();
  const stored = new HashingStream();
  const part = await Deno.makeTempFile({ dir, prefix: "layer-" });
  await pipeline([
    typeof tar === "string" ? createReadStream(tar) : Readable.from([tar]),
    plain,
    ...compressor(compression, level),
    stored,
    createWriteStream(part),
  ]);
  await Deno.rename(part, blobPath(dir, stored.digest));
  return {
    mediaType: types[compression],
    digest: stored.digest,
    size: stored.size,
    diffId: plain.digest,
  };
}

function compressor(compression: Compression, level: number | undefined): Transform[] {
  if (compression === "gzip") return [createGzip(level === undefined ? {} : { level })];
  if (compression === "zstd") return [createZstdCompress()];
  return [];
}

/** Passes bytes on, counting and hashing them. */
class HashingStream extends Transform {
  readonly #hash = createHash("sha256");
  #digest: string | undefined;
  size = 0;

  override _transform(chunk: Uint8Array, _: string, done: (e: null, chunk: Uint8Array) => void) {
    this.#hash.update(chunk);
    this.size += chunk.length;
    done(null, chunk);
  }

  get digest(): string {
    this.#digest ??= `sha256:${this.#hash.digest("hex")}`;
    return this.#digest;
  }
}
