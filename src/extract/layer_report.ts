import type { Layer } from "../image/types.ts";
import type { Logger } from "../log.ts";
import type { LayerResult } from "./layer_task.ts";

/** How a layer's tree came into the image's: directory by directory, or entry by entry. */
export type MergeWay = "whole" | "by entry";

/** Tells the log of a layer that has been read and merged. */
export function reportLayer(
  log: Logger,
  { blob }: Layer,
  { bytes, summary }: LayerResult,
  merged: MergeWay,
): void {
  log.debug("Layer unpacked", {
    digest: blob.digest,
    bytes: bytes.compressed,
    unpacked: bytes.unpacked,
    files: summary!.files,
    merged,
  });
  if (bytes.disagrees) {
    log.warn(`A layer's bytes are ${bytes.compression}, which is not what its media type says`, {
      digest: blob.digest,
      mediaType: blob.mediaType,
    });
  }
  if (summary!.leftOutCount > 0) {
    log.warn("Devices and FIFOs are left out in overlay mode", {
      digest: blob.digest,
      count: summary!.leftOutCount,
      paths: summary!.leftOut.join(", "),
    });
  }
}
