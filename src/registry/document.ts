import { createHash } from "node:crypto";
import { type Digest, digestAlgorithm, parseDigest } from "../reference/digest.ts";

/** The digest of a whole document, by the algorithm of the one it should have. */
export function documentDigest(bytes: Uint8Array, expected?: Digest): Digest {
  const algorithm = expected === undefined ? "sha256" : digestAlgorithm(expected);
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`);
}
