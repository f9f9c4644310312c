import type { Descriptor } from "../reference/descriptor.ts";
import type { Platform } from "../reference/platform.ts";
import type { DiffId, Digest } from "../reference/digest.ts";

/** One filesystem layer: the blob to fetch and the tar it must decompress to. */
export interface Layer {
  readonly blob: Descriptor;
  readonly diffId: DiffId;
}

/** The part of an image config that decides what runs (image-spec, config). */
export interface ImageConfig {
  /** `NAME=value` entries as the image has them; malformed ones included. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string | undefined;
  readonly user: string | undefined;
}

/** One platform's image, every document verified, ready to be extracted and run. */
export interface Image {
  /** What the user asked for, for messages: never holds a secret. */
  readonly name: string;
  /** Of the image manifest (not the index). */
  readonly digest: Digest;
  readonly platform: Platform;
  readonly config: ImageConfig;
  /** Base layer first. */
  readonly layers: readonly Layer[];
}
