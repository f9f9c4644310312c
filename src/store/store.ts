import type { Descriptor } from "../reference/descriptor.ts";
import type { Digest } from "../reference/digest.ts";

/** A manifest or index as the store holds it; the bytes have been checked against the digest. */
export interface ManifestDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/**
 * Where one image's documents and blobs come from: a registry repository, an OCI layout, an
 * archive. A store recovers from faults on its own (retry, resume); what it yields is not yet
 * verified as a whole: wrap it in `verified` (src/archive/verify.ts).
 */
export interface ImageStore {
  /** The manifest by tag or digest; `undefined` asks for what the image name says. */
  manifest(reference?: Digest): Promise<ManifestDocument>;
  /** The blob's bytes from the first to the last, in chunks, as they arrive. */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** A structured-cloneable description from which a Worker opens the same store again. */
  readonly spec: StoreSpec;
}

/** Opened by `openStore` (src/store/open.ts); plain data, so that it can be posted to a Worker. */
export interface StoreSpec {
  readonly kind: string;
}
