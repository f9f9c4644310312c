import type { Settings } from "../config/settings.ts";
import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Reference } from "../reference/reference.ts";
import { ownAuthorities } from "./authorities.ts";
import type { Credential } from "./auth/credential.ts";
import { type Environment, findCredential } from "./auth/credentials.ts";
import { isLoopback } from "./loopback.ts";
import type { EndpointSpec, RegistrySpec } from "./spec.ts";

/** Docker Hub's name is not the host that serves it. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_HOST = "registry-1.docker.io";

const FIRST_BACKOFF_MS = 250;

/**
 * Everything needed to pull `reference`: hosts in order, credentials, authorities, limits. Throws
 * {@linkcode RunnerError} 64 for settings that turn out not to be usable.
 */
export async function registrySpec(
  reference: Reference,
  settings: Settings,
  env: Environment,
  log: Logger,
): Promise<RegistrySpec> {
  const endpoints = mirrorsOf(reference, settings);
  endpoints.push(originOf(reference, settings));
  const withLogins: EndpointSpec[] = [];
  for (const endpoint of endpoints) {
    const credential = await credentialOf(endpoint, reference, settings, env, log);
    withLogins.push({ ...endpoint, credential });
  }
  const encrypted = endpoints.some(({ schemes }) => schemes.includes("https"));
  const { caFile, pullTimeoutMs } = settings;
  return {
    kind: "registry",
    reference,
    endpoints: withLogins,
    authorities: {
      own: caFile === undefined || !encrypted ? undefined : await ownAuthorities(caFile),
      sslCertFile: env("SSL_CERT_FILE"),
    },
    stallTimeoutMs: settings.stallTimeoutMs,
    deadline: pullTimeoutMs === undefined ? undefined : Date.now() + pullTimeoutMs,
    maxManifestSize: settings.maxManifestSize,
    backoffMs: FIRST_BACKOFF_MS,
  };
}

function originOf(reference: Reference, settings: Settings): EndpointSpec {
  const host = reference.registry === DOCKER_HUB ? DOCKER_HUB_HOST : reference.registry;
  return {
    host,
    schemes: schemesOf(host, settings.insecureRegistries),
    repository: reference.repository,
    mirror: false,
    credential: undefined,
    session: undefined,
  };
}

/** A mirror's URL may have a path: what its repositories' names begin with there. */
function mirrorsOf(reference: Reference, settings: Settings): EndpointSpec[] {
  const urls = Object.hasOwn(settings.mirrors, reference.registry)
    ? settings.mirrors[reference.registry] ?? []
    : [];
  return urls.map((text) => {
    const url = new URL(text);
    if (url.protocol === "http:" && schemesOf(url.host, settings.insecureRegistries).length < 2) {
      throw new RunnerError(
        Exit.settings,
        `mirror "${text}" is not encrypted: use https, or list "${url.host}" in ` +
          `RUNNER_INSECURE_REGISTRIES`,
      );
    }
    const prefix = url.pathname.replace(/^\/v2(?=\/|$)/, "").replace(/^\/+|\/+$/g, "");
    return {
      host: url.host,
      schemes: [url.protocol === "http:" ? "http" : "https"],
      repository: prefix === "" ? reference.repository : `${prefix}/${reference.repository}`,
      mirror: true,
      credential: undefined,
      session: undefined,
    };
  });
}

/** `REGISTRY_USER` belongs to the registry of the image's name; a mirror has its own login. */
async function credentialOf(
  endpoint: EndpointSpec,
  reference: Reference,
  { registryLogin }: Settings,
  env: Environment,
  log: Logger,
): Promise<Credential | undefined> {
  if (endpoint.mirror) return await findCredential(endpoint.host, endpoint.repository, env, log);
  if (registryLogin !== undefined) return { kind: "password", ...registryLogin };
  return await findCredential(reference.registry, reference.repository, env, log);
}

/**
 * https alone, but for hosts that may be spoken to in the clear (contract section 6): one that is
 * listed gets https where it has it; loopback has no wire to listen on, so plain HTTP goes first.
 */
function schemesOf(host: string, insecure: readonly string[]): EndpointSpec["schemes"] {
  if (isLoopback(host)) return ["http", "https"];
  return insecure.includes(host) ? ["https", "http"] : ["https"];
}
