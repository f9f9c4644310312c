import { Exit, RunnerError } from "../errors.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import { formatPlatform, type Platform } from "../reference/platform.ts";
import { shownText } from "../registry/redact.ts";
import type { ImageStore, ManifestDocument } from "../store/store.ts";
import {
  ConfigDocument,
  documentKind,
  IndexDocument,
  type IndexEntry,
  isLayerType,
  ManifestDocumentV2,
} from "./documents.ts";
import { manifestKind, parseDocument } from "./parse.ts";
import { candidates, offeredPlatforms } from "./select.ts";
import { readDocument } from "./small_blob.ts";
import type { Image, Layer } from "./types.ts";

export interface ResolveOptions {
  readonly platform: Platform;
  /** Bytes an index or manifest may have. */
  readonly maxManifestSize: number;
  /** Bytes an image config may have. */
  readonly maxConfigSize: number;
  /** What the user asked for, for messages. */
  readonly name: string;
  /**
   * Told the layers' blobs, in order, when the manifest is known and before the config is asked for:
   * they can be asked for meanwhile. What an image must be for a byte of them to be fetched is
   * checked before this.
   */
  readonly onLayers?: ((blobs: readonly Descriptor[]) => void) | undefined;
}

/** Indexes within indexes, and all that are read to find one image: nobody needs more. */
const MAX_DEPTH = 4;
const MAX_INDEXES = 16;

/**
 * What an image name means on a platform: from index (nested ones too) to manifest, config and
 * layers, every document checked. Throws {@linkcode RunnerError} 65 for documents that are wrong,
 * too large, or of no image for the platform; the store's own errors pass through.
 */
export async function resolveImage(store: ImageStore, options: ResolveOptions): Promise<Image> {
  try {
    return await new Resolver(store, options).resolve();
  } catch (error) {
    if (!(error instanceof RunnerError) || error.exit !== Exit.data) throw error;
    // The store has named the image already.
    if (/^(pull|read) "/.test(error.message)) throw error;
    const message = `pull "${options.name}": ${error.message}`;
    throw new RunnerError(Exit.data, message, { cause: error });
  }
}

class Resolver {
  readonly #store: ImageStore;
  readonly #options: ResolveOptions;
  readonly #offered: string[] = [];
  #indexes = 0;

  constructor(store: ImageStore, options: ResolveOptions) {
    this.#store = store;
    this.#options = options;
  }

  async resolve(): Promise<Image> {
    const top = await this.#store.manifest();
    if (manifestKind(top) === "manifest") return await this.#image(top);
    const entry = await this.#find(top, 1);
    if (entry !== undefined) return await this.#image(await this.#fetch(entry));
    const platform = formatPlatform(this.#options.platform);
    const offered = [...new Set(this.#offered)];
    throw new RunnerError(
      Exit.data,
      offered.length === 0
        ? `it has no image for ${platform}, nor for any other platform`
        : `it has no image for ${platform}, only for ${shownText(offered.join(", "), 500)}: ` +
          `choose one of these with RUNNER_PLATFORM, or run on another host`,
    );
  }

  /** The best entry of an index: one of its own, then one of an index in it, then an unlabelled. */
  async #find(document: ManifestDocument, depth: number): Promise<IndexEntry | undefined> {
    if (depth > MAX_DEPTH || ++this.#indexes > MAX_INDEXES) {
      throw new RunnerError(
        Exit.data,
        `its index holds indexes more than ${MAX_DEPTH} deep or ${MAX_INDEXES} in number`,
      );
    }
    const { digest, bytes } = document;
    const { manifests } = parseDocument("index", digest, bytes, IndexDocument);
    const { exact, nested, unlabelled } = candidates(manifests, this.#options.platform);
    this.#offered.push(...offeredPlatforms(manifests));
    if (exact[0] !== undefined) return exact[0];
    for (const entry of nested) {
      const inner = await this.#fetch(entry);
      if (manifestKind(inner) !== "index") throw mismatch(entry, "a manifest");
      const found = await this.#find(inner, depth + 1);
      if (found !== undefined) return found;
    }
    // One that does not say its platform can only be meant if it is alone; its config will tell.
    return manifests.length === 1 ? unlabelled[0] : undefined;
  }

  async #fetch(entry: Descriptor): Promise<ManifestDocument> {
    const { maxManifestSize } = this.#options;
    if (entry.size > maxManifestSize) {
      throw new RunnerError(
        Exit.data,
        `manifest "${entry.digest}" has ${entry.size} bytes, more than the ${maxManifestSize} ` +
          `allowed: set RUNNER_MAX_MANIFEST if that is right`,
      );
    }
    const document = await this.#store.manifest(entry.digest);
    if (document.bytes.length !== entry.size) {
      throw mismatch(entry, `${document.bytes.length} bytes instead of ${entry.size}`);
    }
    return { ...document, mediaType: entry.mediaType };
  }

  async #image(document: ManifestDocument): Promise<Image> {
    const { digest, bytes } = document;
    if (manifestKind(document) !== "manifest") throw mismatch({ digest }, "an index");
    const manifest = parseDocument("manifest", digest, bytes, ManifestDocumentV2);
    if (documentKind(manifest.config.mediaType) !== "config") {
      throw new RunnerError(
        Exit.data,
        `manifest "${digest}" is no container image but an artifact: its config is ` +
          `"${shownText(manifest.config.mediaType, 100)}"`,
      );
    }
    for (const blob of manifest.layers) requireLayer(blob);
    this.#options.onLayers?.(manifest.layers);
    const configBytes = await readDocument(
      this.#store,
      manifest.config,
      this.#options.maxConfigSize,
    );
    const config = parseDocument(
      "config",
      manifest.config.digest,
      configBytes,
      ConfigDocument,
    );
    return {
      name: this.#options.name,
      digest,
      platform: this.#platform(config),
      config: {
        env: config.config?.Env ?? [],
        entrypoint: config.config?.Entrypoint ?? [],
        cmd: config.config?.Cmd ?? [],
        workingDir: config.config?.WorkingDir || undefined,
        user: config.config?.User || undefined,
      },
      layers: pairLayers(manifest, config),
    };
  }

  /** The platform the config states; one that states none is taken at the index's word. */
  #platform(config: ConfigDocument): Platform {
    const { platform: wanted } = this.#options;
    const os = config.os || wanted.os;
    const architecture = config.architecture || wanted.architecture;
    const platform = {
      os,
      architecture,
      variant: config.variant || undefined,
      osVersion: config["os.version"] || undefined,
    };
    if (os !== wanted.os || architecture !== wanted.architecture) {
      throw new RunnerError(
        Exit.data,
        `it is for ${formatPlatform(platform)}, not ${formatPlatform(wanted)}: build it for that ` +
          `platform, or set RUNNER_PLATFORM=${os}/${architecture} to take it all the same`,
      );
    }
    return platform;
  }
}

function mismatch({ digest }: Pick<Descriptor, "digest">, found: string): RunnerError {
  return new RunnerError(
    Exit.data,
    `manifest "${digest}" is not what the index says: it is ${found}`,
  );
}

function requireLayer({ digest, mediaType }: Descriptor): void {
  if (isLayerType(mediaType)) return;
  const encrypted = mediaType.endsWith("+encrypted") ? " (encrypted)" : "";
  throw new RunnerError(
    Exit.data,
    `layer "${digest}" is of a kind the runner cannot extract${encrypted}: ` +
      `"${shownText(mediaType, 100)}"`,
  );
}

function pairLayers(manifest: ManifestDocumentV2, config: ConfigDocument): Layer[] {
  const diffIds = config.rootfs.diff_ids ?? [];
  if (diffIds.length !== manifest.layers.length) {
    throw new RunnerError(
      Exit.data,
      `config "${manifest.config.digest}" has ${diffIds.length} diff IDs for ` +
        `${manifest.layers.length} layers`,
    );
  }
  return manifest.layers.map((blob, i) => {
    // The lengths are the same, so there is one.
    const diffId = diffIds[i]!;
    return { blob, diffId };
  });
}
