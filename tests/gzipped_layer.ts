import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Layer } from "../src/image/types.ts";
import type { DiffId, Digest } from "../src/reference/digest.ts";

/** A layer in memory: what a manifest and a config say of it, and its blob. */
export interface GzippedLayer {
  readonly layer: Layer;
  readonly bytes: Uint8Array;
}

export function gzippedLayer(tar: Uint8Array): GzippedLayer {
  const bytes = new Uint8Array(gzipSync(tar, { level: 1 }));
  const blob = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: sha256(bytes) as Digest,
    size: bytes.length,
  };
  return { layer: { blob, diffId: sha256(tar) as DiffId }, bytes };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
