import * as z from "zod/mini";
import type { Credential } from "./credential.ts";
import { parseJson } from "../wire.ts";

/** Docker's `config.json`, as far as it is about logins; podman's auth files have the same form. */
const DockerConfigDocument = z.object({
  auths: z.nullish(z.record(
    z.string(),
    z.nullable(z.object({
      auth: z.nullish(z.string()),
      username: z.nullish(z.string()),
      password: z.nullish(z.string()),
      identitytoken: z.nullish(z.string()),
    })),
  )),
  credsStore: z.nullish(z.string()),
  credHelpers: z.nullish(z.record(z.string(), z.string())),
});
export type DockerConfig = z.infer<typeof DockerConfigDocument>;
type AuthEntry = NonNullable<DockerConfig["auths"]>[string];

/** Undefined if the text is no such file. */
export function parseDockerConfig(text: string): DockerConfig | undefined {
  return parseJson(text, DockerConfigDocument);
}

/** What Docker has always called its Hub, in files and to helpers. */
const HUB_KEY = "https://index.docker.io/v1/";
const HUB_NAMES: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
]);

/** The name of a registry to credential helpers: its host, but Docker Hub's old URL. */
export function helperKey(registry: string): string {
  return registry === "docker.io" ? HUB_KEY : registry;
}

/** The helper that is to be asked for this registry: its own, else the one for all. */
export function helperFor(config: DockerConfig, registry: string): string | undefined {
  for (const [key, helper] of Object.entries(config.credHelpers ?? {})) {
    if (registryOf(key) === registry && helper !== "") return helper;
  }
  return config.credsStore || undefined;
}

/**
 * The `auths` entry for a repository. A key is a registry, in any of the spellings Docker has used
 * for one, or, as podman has it, `registry/path`, good for what is below that path; the longest
 * that fits wins. Never matches a part of a host name. `undefined` if no entry has a login.
 *
 * @throws {Error} for an entry whose `auth` cannot be read; the message holds no secret
 */
export function entryFor(
  config: DockerConfig,
  registry: string,
  repository: string,
): Credential | undefined {
  let best: { length: number; credential: Credential } | undefined;
  for (const [key, entry] of Object.entries(config.auths ?? {})) {
    const length = matchLength(key, registry, repository);
    if (length === undefined || (best !== undefined && length <= best.length)) continue;
    const credential = entryCredential(key, entry);
    if (credential !== undefined) best = { length, credential };
  }
  return best?.credential;
}

/** How specific a key that fits is: 0 for the registry, 1 for just its name, more for a path. */
function matchLength(key: string, registry: string, repository: string): number | undefined {
  if (key === registry) return 1;
  if (registryOf(key) === registry) return 0;
  const path = key.startsWith(`${registry}/`) ? key.slice(registry.length + 1) : undefined;
  if (path === undefined || path === "") return undefined;
  return repository === path || repository.startsWith(`${path}/`) ? 1 + path.length : undefined;
}

/** The registry a key names as a whole: `https://ghcr.io/v2/` and `ghcr.io/` are `ghcr.io`. */
function registryOf(key: string): string | undefined {
  const match = /^(https?:\/\/)?([^/]+)(\/.*)?$/.exec(key);
  const [, scheme, host = "", path = "/"] = match ?? [];
  if (match === null) return undefined;
  // With a scheme it is a URL, whose path Docker ignores; without one it may be podman's path.
  if (scheme === undefined && !/^\/(v[12]\/?)?$/.test(path)) return undefined;
  return HUB_NAMES.has(host) ? "docker.io" : host;
}

function entryCredential(key: string, entry: AuthEntry): Credential | undefined {
  if (entry === null) return undefined;
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken };
  if (entry.auth) return decodeAuth(key, entry.auth);
  if (!entry.username) return undefined;
  return { kind: "password", user: entry.username, password: entry.password ?? "" };
}

function decodeAuth(key: string, auth: string): Credential {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(auth));
  } catch {
    throw new Error(`"auth" of "${key}" is not base64`);
  }
  const colon = text.indexOf(":");
  if (colon < 1) throw new Error(`"auth" of "${key}" is not user:password in base64`);
  // Some versions of Docker padded the password with zero bytes.
  const password = text.slice(colon + 1).replace(/\0+$/, "");
  return { kind: "password", user: text.slice(0, colon), password };
}
