import type * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { Exit, reason, RunnerError } from "../errors.ts";
import type { Digest } from "../reference/digest.ts";
import type { ManifestDocument } from "../store/store.ts";
import { type DocumentKind, documentKind, DocumentMarks } from "./documents.ts";

/** zod/mini has no words of its own for what is wrong. */
const { localeError } = english();

/** A document's bytes by its schema; {@linkcode RunnerError} 65 names it and what is wrong. */
export function parseDocument<T>(
  what: string,
  digest: Digest,
  bytes: Uint8Array,
  schema: z.ZodMiniType<T>,
): T {
  const refuse = (problem: string, cause?: unknown) =>
    new RunnerError(Exit.data, `${what} "${digest}" is not valid: ${problem}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw refuse(`it is not JSON (${reason(error)})`, error);
  }
  const result = schema.safeParse(value, { error: localeError });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.join(".") ?? "";
  throw refuse(`${path === "" ? "" : `${path}: `}${issue?.message}`);
}

/**
 * Whether a document is an index or a manifest. Its own `mediaType` decides, then the store's, then
 * its fields; a document that is both at once, or not what it claims, is refused (65): two readers
 * could take it for two images.
 */
export function manifestKind(document: ManifestDocument): "index" | "manifest" {
  const { digest, bytes } = document;
  const marks = parseDocument("manifest", digest, bytes, DocumentMarks);
  const refuse = (problem: string) =>
    new RunnerError(Exit.data, `manifest "${digest}" is not valid: ${problem}`);

  const claimed = documentKind(marks.mediaType ?? document.mediaType);
  if (claimed === "schema1" || marks.schemaVersion === 1 || marks.fsLayers !== undefined) {
    throw new RunnerError(
      Exit.data,
      `manifest "${digest}" is in Docker's old schema 1, which does not say what its layers ` +
        `hold: convert the image with "skopeo copy --format v2s2" or build and push it again`,
    );
  }
  const isIndex = marks.manifests !== undefined;
  const isManifest = marks.layers !== undefined || marks.config !== undefined;
  if (isIndex && isManifest) throw refuse("it is an index and a manifest at once");
  if (!isIndex && !isManifest) throw refuse("it is neither an index nor a manifest");
  const kind: DocumentKind = isIndex ? "index" : "manifest";
  if (marks.mediaType !== undefined && claimed !== kind) {
    throw refuse(`it is an ${kind} that says it is "${marks.mediaType}"`.replace("an m", "a m"));
  }
  return kind;
}
