import { Exit, RunnerError } from "../errors.ts";

declare const brand: unique symbol;

/** `algorithm:hex` of bytes as they are stored and transferred (a compressed layer, a manifest). */
export type Digest = string & { readonly [brand]: "digest" };

/** `algorithm:hex` of a layer's uncompressed tar stream (image config `rootfs.diff_ids`). */
export type DiffId = string & { readonly [brand]: "diff ID" };

/** The hash algorithms of the image spec; both are names that `node:crypto` knows. */
export type DigestAlgorithm = "sha256" | "sha512";

const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/**
 * What is wrong with `text` as a digest, in words for the part of a message after the colon;
 * `undefined` if nothing is (image-spec, descriptor, "Digests").
 */
export function digestProblem(text: string): string | undefined {
  const colon = text.indexOf(":");
  if (colon < 1) return "it is not of the form algorithm:hex";
  const algorithm = text.slice(0, colon);
  const length = HEX_LENGTH[algorithm];
  if (length === undefined) return `"${algorithm}" is neither sha256 nor sha512`;
  const hex = text.slice(colon + 1);
  if (!/^[0-9a-f]*$/.test(hex)) return "it has characters other than 0-9 and a-f after the colon";
  if (hex.length !== length) {
    return `${algorithm} has ${length} hexadecimal digits, and this ${hex.length}`;
  }
  return undefined;
}

export function isDigest(text: string): text is Digest {
  return digestProblem(text) === undefined;
}

export function isDiffId(text: string): text is DiffId {
  return digestProblem(text) === undefined;
}

/** A digest from a document; throws {@linkcode RunnerError} 65 if it is none. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RunnerError(Exit.data, `digest "${text}" is not valid: ${digestProblem(text)}`);
}

/** A diff ID from a document; throws {@linkcode RunnerError} 65 if it is none. */
export function parseDiffId(text: string): DiffId {
  if (isDiffId(text)) return text;
  throw new RunnerError(Exit.data, `diff ID "${text}" is not valid: ${digestProblem(text)}`);
}

export function digestAlgorithm(digest: Digest | DiffId): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The part after the colon. */
export function digestHex(digest: Digest | DiffId): string {
  return digest.slice(digest.indexOf(":") + 1);
}
