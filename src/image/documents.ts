import * as z from "zod/mini";
import { isDiffId } from "../reference/digest.ts";
import { isDigest } from "../reference/digest.ts";

/**
 * The wire documents of an image, in the OCI and Docker schema 2 families, which agree in all the
 * runner reads. Unknown fields are let pass, as the image spec asks.
 */

const MediaTypes = {
  index: [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
  ],
  manifest: [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ],
  schema1: [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
  ],
  config: [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    // What Docker 1.10 pushed.
    "application/octet-stream",
  ],
} as const;

export type DocumentKind = "index" | "manifest" | "schema1" | "config";

/** What a media type stands for; undefined for one that is none of an image's documents. */
export function documentKind(mediaType: string): DocumentKind | undefined {
  for (const [kind, types] of Object.entries(MediaTypes)) {
    if ((types as readonly string[]).includes(mediaType)) return kind as DocumentKind;
  }
  return undefined;
}

/** Layer media types of both families, in every compression; the bytes have the last word on it. */
export function isLayerType(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar([+](gzip|zstd))?|docker\.image\.rootfs\.(foreign\.)?diff\.tar([.](gzip|zstd))?)$/
    .test(mediaType);
}

const digestText = <T extends string>(isOne: (text: string) => text is T) =>
  z.pipe(z.string(), z.custom<T, string>(isOne, "is not a sha256 or sha512 digest"));
const DigestText = digestText(isDigest);
const DiffIdText = digestText(isDiffId);
const nullable = <T extends z.ZodMiniType>(schema: T) =>
  z.pipe(z.nullish(schema), z.transform((value) => value ?? undefined));

// Shared by the fields that want them: schemas take a good part of the time to start.
const Text = nullable(z.string());
const Texts = nullable(z.array(z.string()));
const Present = z.optional(z.unknown());

const DescriptorDocument = z.object({
  mediaType: z.string(),
  digest: DigestText,
  size: z.number().check(z.int(), z.nonnegative()),
});

export const IndexDocument = z.object({
  schemaVersion: z.literal(2),
  mediaType: Text,
  manifests: z.array(
    z.extend(DescriptorDocument, {
      platform: nullable(z.object({
        os: z._default(z.string(), ""),
        architecture: z._default(z.string(), ""),
        variant: Text,
        "os.version": Text,
      })),
      annotations: nullable(z.record(z.string(), z.string())),
    }),
  ),
});
export type IndexDocument = z.infer<typeof IndexDocument>;
export type IndexEntry = IndexDocument["manifests"][number];

export const ManifestDocumentV2 = z.object({
  schemaVersion: z.literal(2),
  mediaType: Text,
  config: DescriptorDocument,
  layers: z.array(DescriptorDocument),
});
export type ManifestDocumentV2 = z.infer<typeof ManifestDocumentV2>;

export const ConfigDocument = z.object({
  os: Text,
  architecture: Text,
  variant: Text,
  "os.version": Text,
  config: nullable(z.object({
    Env: Texts,
    Entrypoint: Texts,
    Cmd: Texts,
    WorkingDir: Text,
    User: Text,
  })),
  rootfs: z.object({ type: z.literal("layers"), diff_ids: nullable(z.array(DiffIdText)) }),
});
export type ConfigDocument = z.infer<typeof ConfigDocument>;

/** The fields that tell documents apart, whatever they claim to be. */
export const DocumentMarks = z.object({
  schemaVersion: z.optional(z.number()),
  mediaType: Text,
  manifests: Present,
  layers: Present,
  config: Present,
  fsLayers: Present,
});
export type DocumentMarks = z.infer<typeof DocumentMarks>;
