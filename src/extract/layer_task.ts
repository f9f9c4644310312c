import type { StoreSpec } from "../store/store.ts";
import type { Layer } from "../image/types.ts";
import type { LogFields, LogLevel } from "../log.ts";
import type { ExitStatus } from "../errors.ts";
import type { TarLimits } from "../archive/tar/entry.ts";
import type { ByteString } from "../bytes.ts";
import type { ImageLimits } from "./limits.ts";
import type { LayerBytes } from "./layer_stream.ts";
import type { LayerSummary } from "./layer_sink.ts";
import type { Ownership } from "./ownership.ts";

/** What every reader of layers needs besides the layer: plain data, the same for all of an image. */
export interface LayerSetup {
  readonly store: StoreSpec;
  readonly paths: readonly string[];
  readonly ownership: Ownership | undefined;
  readonly limits: ImageLimits & TarLimits;
  readonly meter: SharedArrayBuffer;
  /** Where in this process the native codec is, if there is one. */
  readonly codec: bigint | undefined;
}

/**
 * Descriptors are duplicates made for the task, and its Worker's to close: a Worker that is
 * terminated must never find its number to be another file's.
 */
export type LayerTask =
  | {
    readonly kind: "extract";
    readonly layer: Layer;
    /** The directory of the layer's area. */
    readonly areaFd: number;
  }
  /** A second read: the content of single entries into files that exist already. */
  | {
    readonly kind: "fill";
    readonly layer: Layer;
    readonly filesFd: number;
    readonly wanted: readonly WantedEntry[];
  };

/** An entry of a layer whose content was not kept in the first read. */
export interface WantedEntry {
  /** Its number among the layer's entries. */
  readonly entry: number;
  readonly file: ByteString;
  /** It lands where the server's user owns what is written. */
  readonly serverOwned: boolean;
}

/** What a task came to; a summary only of an extraction. */
export interface LayerResult {
  readonly bytes: LayerBytes;
  readonly summary: LayerSummary | undefined;
}

export type WorkerRequest =
  | { readonly kind: "setup"; readonly setup: LayerSetup }
  | { readonly kind: "task"; readonly task: LayerTask };

export type WorkerReply =
  | { readonly kind: "done"; readonly result: LayerResult }
  | {
    readonly kind: "failed";
    readonly exit: ExitStatus | undefined;
    readonly message: string;
    readonly stack: string | undefined;
  }
  | {
    readonly kind: "log";
    readonly level: LogLevel;
    readonly message: string;
    readonly fields: LogFields | undefined;
  };
