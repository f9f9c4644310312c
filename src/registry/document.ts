import { type Digest, digestAlgorithm, parseDigest } from "../reference/digest.ts";

const SUBTLE = { sha256: "SHA-256", sha512: "SHA-512" } as const;

/** The digest of a whole document, by the algorithm of the one it should have. */
export async function documentDigest(
  bytes: Uint8Array<ArrayBuffer>,
  expected?: Digest,
): Promise<Digest> {
  const algorithm = expected === undefined ? "sha256" : digestAlgorithm(expected);
  const hash = new Uint8Array(await crypto.subtle.digest(SUBTLE[algorithm], bytes));
  return parseDigest(`${algorithm}:${hash.toHex()}`);
}
