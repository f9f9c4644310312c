import { createHash } from "node:crypto";
import { RunnerError } from "../errors.ts";
import { type Digest, parseDigest } from "../reference/digest.ts";
import { parsePlatform } from "../reference/platform.ts";
import type { ImageStore, ManifestDocument } from "../store/store.ts";
import { resolveImage } from "./resolve.ts";
import type { Image } from "./types.ts";

/** Image documents in memory, for this folder's tests. */

export const OCI = "application/vnd.oci.image";
export const DIFF_ID = `sha256:${"d".repeat(64)}`;
export const LAYER = {
  mediaType: `${OCI}.layer.v1.tar+gzip`,
  digest: `sha256:${"b".repeat(64)}`,
  size: 9,
};

export interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

/** A store of documents in memory; `put` gives the entry that points at one. */
export class Documents implements ImageStore {
  readonly #bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  top: Entry | undefined;
  readonly asked: string[] = [];

  put(mediaType: string, value: unknown): Entry {
    const bytes = new TextEncoder().encode(
      typeof value === "string" ? value : JSON.stringify(value),
    );
    const digest = parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    this.#bytes.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image for a platform; its `Cmd` is its platform, so that tests see which was chosen. */
  image(platform: string, changes: { manifest?: object; config?: object } = {}): Entry {
    const [os, architecture, variant] = platform.split("/");
    const config = this.put(`${OCI}.config.v1+json`, {
      os,
      architecture,
      variant,
      config: { Cmd: [platform] },
      rootfs: { type: "layers", diff_ids: [DIFF_ID] },
      ...changes.config,
    });
    const entry = this.put(`${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config,
      layers: [LAYER],
      ...changes.manifest,
    });
    const described: Record<string, string> = { os: os ?? "", architecture: architecture ?? "" };
    if (variant !== undefined) described.variant = variant;
    return { ...entry, platform: described };
  }

  index(manifests: readonly Entry[], changes: object = {}): Entry {
    const mediaType = `${OCI}.index.v1+json`;
    return this.put(mediaType, { schemaVersion: 2, mediaType, manifests, ...changes });
  }

  manifest(reference?: Digest): Promise<ManifestDocument> {
    const digest = reference ?? this.top?.digest ?? "";
    this.asked.push(digest);
    const bytes = this.#bytes.get(digest);
    if (bytes === undefined) throw new RunnerError(69, `no ${digest}`);
    return Promise.resolve({ mediaType: "", digest: digest as Digest, bytes });
  }

  ahead(): void {}

  async *blob({ digest }: { digest: string }): AsyncGenerator<Uint8Array> {
    const bytes = this.#bytes.get(digest);
    if (bytes !== undefined) yield await Promise.resolve(bytes);
  }

  readonly spec = { kind: "oci", path: "", tag: undefined, maxManifestSize: 0 } as const;
  close(): void {}
}

export async function resolve(
  top: (documents: Documents) => Entry,
  platform: string,
): Promise<Image> {
  const documents = new Documents();
  documents.top = top(documents);
  return await resolveImage(documents, {
    platform: parsePlatform(platform),
    maxManifestSize: 100_000,
    maxConfigSize: 100_000,
    name: "img",
  });
}

export const attestation = (documents: Documents): Entry => ({
  ...documents.put(`${OCI}.manifest.v1+json`, { schemaVersion: 2, attestation: true }),
  platform: { os: "unknown", architecture: "unknown" },
  annotations: { "vnd.docker.reference.type": "attestation-manifest" },
});
