import { formatPlatform, type Platform } from "../reference/platform.ts";
import { documentKind, type IndexEntry } from "./documents.ts";

/**
 * How well an entry's platform serves the wanted one: 0 is exact, more is an older variant that
 * runs on it too; undefined does not run on it.
 */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  if (wanted.osVersion !== undefined && wanted.osVersion !== offered.osVersion) return undefined;
  const rank = runnableVariants(wanted).indexOf(variantOf(offered));
  return rank < 0 ? undefined : rank;
}

/** The variant an image without one has, by the image spec's table and Docker's practice. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: "v1", arm64: "v8", arm: "v7" };

function variantOf({ architecture, variant }: Platform): string {
  return variant === undefined || variant === "" ? DEFAULT_VARIANT[architecture] ?? "" : variant;
}

/** The variants that run where the wanted one does, best first. */
function runnableVariants(wanted: Platform): string[] {
  const variant = variantOf(wanted);
  const lowest = { amd64: 1, arm64: 8, arm: 5 }[wanted.architecture];
  const version = /^v(\d+)$/.exec(variant)?.[1];
  if (lowest === undefined || version === undefined) return [variant];
  const variants = [];
  for (let v = Number(version); v >= lowest && variants.length < 16; v--) variants.push(`v${v}`);
  return variants.length === 0 ? [variant] : variants;
}

/** The entry's platform; undefined when it has none. */
export function entryPlatform(entry: IndexEntry): Platform | undefined {
  const { platform } = entry;
  if (platform === undefined || (platform.os === "" && platform.architecture === "")) {
    return undefined;
  }
  return {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant,
    osVersion: platform["os.version"],
  };
}

/** Attestations (BuildKit) and other attachments stand in an index but are no images. */
export function isAttachment(entry: IndexEntry): boolean {
  const { os, architecture } = entry.platform ?? {};
  return entry.annotations?.["vnd.docker.reference.type"] !== undefined ||
    os === "unknown" || architecture === "unknown";
}

export interface Candidates {
  /** Image manifests that serve the platform, best first. */
  readonly exact: readonly IndexEntry[];
  /** Indexes that may hold one. */
  readonly nested: readonly IndexEntry[];
  /** Image manifests that do not say their platform. */
  readonly unlabelled: readonly IndexEntry[];
}

/** What of an index may serve the wanted platform; among equals the first entry wins. */
export function candidates(entries: readonly IndexEntry[], wanted: Platform): Candidates {
  const exact: { entry: IndexEntry; rank: number }[] = [];
  const nested: IndexEntry[] = [];
  const unlabelled: IndexEntry[] = [];
  for (const entry of entries) {
    if (isAttachment(entry)) continue;
    const offered = entryPlatform(entry);
    const rank = offered === undefined ? undefined : platformRank(wanted, offered);
    const kind = documentKind(entry.mediaType);
    if (kind === "index" && (offered === undefined || rank !== undefined)) nested.push(entry);
    if (kind !== "manifest" && kind !== "schema1") continue;
    if (rank !== undefined) exact.push({ entry, rank });
    if (offered === undefined) unlabelled.push(entry);
  }
  exact.sort((a, b) => a.rank - b.rank);
  return { exact: exact.map(({ entry }) => entry), nested, unlabelled };
}

/** The platforms an index offers, for the error that none fits. */
export function offeredPlatforms(entries: readonly IndexEntry[]): string[] {
  const platforms = entries.filter((entry) => !isAttachment(entry)).map(entryPlatform);
  return platforms.filter((platform) => platform !== undefined).map(formatPlatform);
}
