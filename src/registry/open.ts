import type { Settings } from "../config/settings.ts";
import { Exit, reason, RunnerError } from "../errors.ts";
import type { Reference } from "../reference/reference.ts";
import type { Credential } from "./auth/credential.ts";
import type { EndpointSpec, RegistrySpec } from "./spec.ts";

/** Docker Hub's name is not the host that serves it. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_HOST = "registry-1.docker.io";

const FIRST_BACKOFF_MS = 250;

/** Everything needed to pull `reference`: hosts in order, credentials, authorities, limits. */
export async function registrySpec(
  reference: Reference,
  settings: Settings,
  _env: (name: string) => string | undefined,
): Promise<RegistrySpec> {
  const login = settings.registryLogin;
  const credential: Credential | undefined = login && { kind: "password", ...login };
  const host = reference.registry === DOCKER_HUB ? DOCKER_HUB_HOST : reference.registry;
  const origin: EndpointSpec = {
    host,
    schemes: schemesOf(host, settings.insecureRegistries),
    repository: reference.repository,
    mirror: false,
    credential,
    session: undefined,
  };
  const { pullTimeoutMs } = settings;
  return {
    kind: "registry",
    reference,
    endpoints: [origin],
    ca: settings.caFile === undefined ? [] : [await readAuthorities(settings.caFile)],
    stallTimeoutMs: settings.stallTimeoutMs,
    deadline: pullTimeoutMs === undefined ? undefined : Date.now() + pullTimeoutMs,
    maxManifestSize: settings.maxManifestSize,
    backoffMs: FIRST_BACKOFF_MS,
  };
}

/**
 * https alone, but for hosts that may be spoken to in the clear (contract section 6): one that is
 * listed gets https where it has it; loopback has no wire to listen on, so plain HTTP goes first.
 */
function schemesOf(host: string, insecure: readonly string[]): EndpointSpec["schemes"] {
  if (isLoopback(host)) return ["http", "https"];
  return insecure.includes(host) ? ["https", "http"] : ["https"];
}

export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}

async function readAuthorities(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (error) {
    throw new RunnerError(Exit.settings, `read RUNNER_CA_FILE "${path}": ${reason(error)}`);
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new RunnerError(Exit.settings, `RUNNER_CA_FILE "${path}" holds no PEM certificate`);
  }
  return pem;
}
