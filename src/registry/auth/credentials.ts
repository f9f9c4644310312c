import { Exit, reason, RunnerError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { Credential } from "./credential.ts";
import { askHelper } from "./credential_helper.ts";
import { entryFor, helperFor, helperKey, parseDockerConfig } from "./docker_config.ts";

/** Reads one variable of the environment; undefined when unset. */
export type Environment = (name: string) => string | undefined;

/** A place that may hold logins: a file, or a variable's text. */
interface Source {
  readonly name: string;
  read(): Promise<string | undefined>;
}

/**
 * The login for a repository, from the first of these that has one (contract section 6):
 * `DOCKER_AUTH_CONFIG`, `$DOCKER_CONFIG/config.json`, `$REGISTRY_AUTH_FILE`,
 * `~/.docker/config.json`; within one, from its helper before its `auths`.
 *
 * A helper that cannot be run and a file that cannot be opened are warned of and passed over: a
 * config copied from a desktop names helpers that a server does not have. Throws
 * {@linkcode RunnerError} 64 for one that cannot be understood.
 */
export async function findCredential(
  registry: string,
  repository: string,
  env: Environment,
  log: Logger,
): Promise<Credential | undefined> {
  for (const source of sources(env, log)) {
    const text = await source.read();
    if (text === undefined) continue;
    const credential = await credentialIn(source.name, text, registry, repository, log);
    if (credential !== undefined) {
      log.debug(`login for ${registry} found in ${source.name}`);
      return credential;
    }
  }
  return undefined;
}

function sources(env: Environment, log: Logger): Source[] {
  const dockerConfig = env("DOCKER_CONFIG");
  const authFile = env("REGISTRY_AUTH_FILE");
  const home = env("HOME");
  const authConfig = env("DOCKER_AUTH_CONFIG");
  const found: Source[] = [];
  if (authConfig) {
    found.push({ name: "DOCKER_AUTH_CONFIG", read: () => Promise.resolve(authConfig) });
  }
  if (dockerConfig) found.push(file(`${dockerConfig}/config.json`, log));
  if (authFile) found.push(file(authFile, log));
  if (home) found.push(file(`${home}/.docker/config.json`, log));
  return found;
}

function file(path: string, log: Logger): Source {
  return {
    name: `"${path}"`,
    async read() {
      try {
        return await Deno.readTextFile(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
          return undefined;
        }
        log.warn(`credentials in "${path}" are passed over: ${reason(error)}`);
        return undefined;
      }
    },
  };
}

async function credentialIn(
  name: string,
  text: string,
  registry: string,
  repository: string,
  log: Logger,
): Promise<Credential | undefined> {
  const refuse = (problem: string) =>
    new RunnerError(Exit.settings, `read credentials from ${name}: ${problem}`);
  const config = parseDockerConfig(text);
  if (config === undefined) throw refuse("it is not a docker config.json");
  const helper = helperFor(config, registry);
  if (helper !== undefined) {
    try {
      const credential = await askHelper(helper, helperKey(registry));
      if (credential !== undefined) return credential;
    } catch (error) {
      log.warn(`login for ${registry}: ${reason(error)}; it is passed over`);
    }
  }
  try {
    return entryFor(config, registry, repository);
  } catch (error) {
    throw refuse(reason(error));
  }
}
