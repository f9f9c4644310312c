import type { Digest } from "./digest.ts";

/** What points at content by media type, digest and size (image-spec, descriptor). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}
