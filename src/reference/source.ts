import { Exit, RunnerError } from "../errors.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";

/** Where `IMAGE` says the image is (contract section 1). */
export type ImageSource =
  | { readonly kind: "registry"; readonly reference: Reference }
  | LocalSource;

/** A local source in skopeo's transport spelling. */
export interface LocalSource {
  readonly kind: "oci" | "oci-archive" | "docker-archive";
  /** As given: of a directory for `oci`, of a file for the archives. */
  readonly path: string;
  /** Which of several images; undefined when the source holds but one. */
  readonly tag: string | undefined;
}

const LOCAL = /^(oci|oci-archive|docker-archive):(.*)$/s;

/**
 * `IMAGE` as a registry reference, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or
 * `docker-archive:FILE[:NAME[:TAG]]`. A path ends at its first colon, as skopeo has it.
 *
 * Throws {@linkcode RunnerError} 64 quoting the part that is wrong.
 */
export function parseImageSource(text: string): ImageSource {
  const local = LOCAL.exec(text);
  if (local === null) return { kind: "registry", reference: parseReference(text) };
  const kind = local[1] as LocalSource["kind"];
  const rest = local[2] ?? "";
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "" || path.includes("\0")) {
    throw new RunnerError(
      Exit.settings,
      `image "${text}" is not valid: after "${kind}:" comes the path of a ` +
        (kind === "oci" ? "directory with an OCI image layout" : "file"),
    );
  }
  if (tag === "") {
    throw new RunnerError(Exit.settings, `image "${text}" is not valid: the tag is empty`);
  }
  return { kind, path, tag };
}

/** The source for messages and logs: a registry reference in full, a local one as given. */
export function formatImageSource(source: ImageSource): string {
  if (source.kind === "registry") return formatReference(source.reference);
  return `${source.kind}:${source.path}${source.tag === undefined ? "" : `:${source.tag}`}`;
}
