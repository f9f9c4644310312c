import type { RegistrySpec } from "../registry/spec.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import type { Digest } from "../reference/digest.ts";
import type { LocalSource } from "../reference/source.ts";

/** A manifest or index as the store holds it; the bytes have been checked against the digest. */
export interface ManifestDocument {
  /** As the registry or the index says; the document's own `mediaType` may be missing. */
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/**
 * Where one image's documents and blobs come from: a registry repository, an OCI layout, an
 * archive. A store recovers from faults on its own (retry, resume); what it yields is not yet
 * verified as a whole.
 */
export interface ImageStore {
  /** The manifest by tag or digest; `undefined` asks for what the image name says. */
  manifest(reference?: Digest): Promise<ManifestDocument>;
  /**
   * The blob's bytes from the first to the last, in chunks, as they arrive: never more than
   * `descriptor.size`, and each valid only until the next is asked for. Leaving the loop early ends
   * the transfer.
   */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /**
   * Asks for a blob's first bytes now, for the `blob` of the same digest that will be called soon.
   * What fails is thrown there.
   */
  ahead(descriptor: Descriptor): void;
  /**
   * A structured-cloneable description from which a Worker opens the same store again. It is a
   * snapshot: take it after the manifest was resolved, so that the Worker inherits the token.
   */
  readonly spec: StoreSpec;
  /** Drops credentials and tokens and ends what is under way; nothing can be asked afterwards. */
  close(): void;
}

/** Opened by `openStore` (src/store/open.ts); plain data, so that it can be posted to a Worker. */
export type StoreSpec = RegistrySpec | LocalSpec;

/** A local source; it has no secrets and needs no network. */
export interface LocalSpec extends LocalSource {
  /** Bytes an index or manifest may have. */
  readonly maxManifestSize: number;
}
