import { Exit, RunnerError } from "../errors.ts";
import { type Digest, digestProblem, isDigest } from "./digest.ts";

/** What names one image in a registry; the short names of Docker Hub are spelled out. */
export interface Reference {
  /** `host[:port]`; `docker.io` for Docker Hub, whatever host serves it. */
  readonly registry: string;
  /** `library/alpine` */
  readonly repository: string;
  /** Undefined only when there is a digest, which then decides alone. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const HOST_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
const REGISTRY = new RegExp(
  `^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]+)?$`,
);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]*$/;

/** distribution/reference: `NameTotalLengthMax` and the tag grammar. */
const MAX_NAME_LENGTH = 255;
const MAX_TAG_LENGTH = 128;

/**
 * An image reference as Docker reads it (distribution/reference, `ParseNormalizedNamed`): a first
 * component with a dot or a colon, or `localhost`, is a registry; else the name is Docker Hub's,
 * below `library/` when it has one component. Without tag and digest the tag is `latest`.
 *
 * Throws {@linkcode RunnerError} 64 quoting the part that is wrong.
 */
export function parseReference(text: string): Reference {
  const refuse = (problem: string): never => {
    throw new RunnerError(Exit.settings, `image reference "${text}" is not valid: ${problem}`);
  };
  if (text === "") refuse("it is empty");
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (url !== null) refuse(`it begins with "${url[0]}": leave that out`);

  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    refuse(`digest "${digest}": ${digestProblem(digest)}`);
  }
  const named = at < 0 ? text : text.slice(0, at);

  const colon = named.lastIndexOf(":");
  const tagged = colon > named.lastIndexOf("/") && !named.endsWith("]");
  // A colon in a lone component is a tag's, never a port's: there must be a name after a port.
  const tag = tagged ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && (!TAG.test(tag) || tag.length > MAX_TAG_LENGTH)) {
    refuse(
      `tag "${tag}": it must be 1 to ${MAX_TAG_LENGTH} letters, digits, "_", "." and "-", ` +
        `not beginning with "." or "-"`,
    );
  }

  const { registry, repository } = splitRegistry(tagged ? named.slice(0, colon) : named);
  if (!REGISTRY.test(registry)) refuse(`registry "${registry}" is not a host name or host:port`);
  const port = /:(\d+)$/.exec(registry)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) {
    refuse(`port "${port}" of registry "${registry}" is not 1 to 65535`);
  }
  if (repository === "") refuse("it has no repository name");
  if (/^[0-9a-f]{64}$/.test(named)) refuse("64 hexadecimal digits are an image ID, not a name");
  for (const component of repository.split("/")) {
    if (PATH_COMPONENT.test(component)) continue;
    refuse(
      /[A-Z]/.test(component)
        ? `repository "${repository}" must be lower case`
        : `part "${component}" of repository "${repository}": it must be lower-case letters and ` +
          `digits, with single ".", "_", "__" or dashes between them`,
    );
  }
  if (registry.length + 1 + repository.length > MAX_NAME_LENGTH) {
    refuse(`its name is longer than ${MAX_NAME_LENGTH} characters`);
  }
  return {
    registry,
    repository,
    tag: tag ?? (digest === undefined ? "latest" : undefined),
    digest: digest as Digest | undefined,
  };
}

function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isRegistry = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = isRegistry ? first : "docker.io";
  const repository = isRegistry ? name.slice(slash + 1) : name;
  if (registry !== "docker.io" && registry !== "index.docker.io") return { registry, repository };
  return {
    registry: "docker.io",
    repository: repository === "" || repository.includes("/")
      ? repository
      : `library/${repository}`,
  };
}

/** The reference in full: `docker.io/library/alpine:3.20@sha256:…`. */
export function formatReference(reference: Reference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}` +
    (digest === undefined ? "" : `@${digest}`);
}
