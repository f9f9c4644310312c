import { eventually, freePort } from "./ports.ts";
import { succeed } from "./programs.ts";

export interface DistributionRegistryOptions {
  /** User names and passwords for HTTP Basic (needs `htpasswd`). @default anonymous */
  readonly htpasswd?: Readonly<Record<string, string>>;
  /** Paths of PEM files; the registry then speaks TLS only. @default plain HTTP */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** A token server's settings, as the registry's configuration names them. */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootcertbundle: string;
  };
  /** Makes the registry a pull-through cache of this origin. */
  readonly proxyOf?: string;
}

/** The real distribution registry (Debian's `docker-registry`) with its storage in `dir`. */
export interface DistributionRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly dir: string;
  /** What it logged so far: one line a request, among others. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a registry on a free port and waits until it answers. */
export async function startDistributionRegistry(
  options: DistributionRegistryOptions = {},
): Promise<DistributionRegistry> {
  const dir = await Deno.makeTempDir({ prefix: "registry-" });
  const host = `127.0.0.1:${freePort()}`;
  await Deno.mkdir(`${dir}/storage`);
  const config: Record<string, unknown> = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: `${dir}/storage` }, delete: { enabled: true } },
    http: { addr: host, ...(options.tls ? { tls: options.tls } : {}) },
    ...(options.proxyOf ? { proxy: { remoteurl: options.proxyOf } } : {}),
  };
  if (options.htpasswd) {
    const path = `${dir}/htpasswd`;
    let lines = "";
    for (const [user, password] of Object.entries(options.htpasswd)) {
      lines += await succeed("htpasswd", ["-nbB", user, password]);
    }
    await Deno.writeTextFile(path, lines.replaceAll(/\n+/g, "\n"));
    config.auth = { htpasswd: { realm: "test registry", path } };
  } else if (options.token) {
    config.auth = { token: options.token };
  }
  // JSON is YAML, which is what the registry reads.
  await Deno.writeTextFile(`${dir}/config.yml`, JSON.stringify(config));

  const logFile = `${dir}/registry.log`;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec docker-registry serve "${dir}/config.yml" >"${logFile}" 2>&1`],
    stdin: "null",
  }).spawn();
  let running = true;
  child.status.then(() => running = false);

  const registry = {
    host,
    dir,
    log: () => Deno.readTextFile(logFile),
    async stop() {
      if (running) child.kill("SIGKILL");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
  try {
    await eventually(`docker-registry on ${host}`, 15_000, async () => {
      if (!running) throw new Error(await registry.log());
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: portOf(host) });
      connection.close();
    });
    return registry;
  } catch (error) {
    const log = await registry.log().catch(() => "");
    await registry.stop();
    throw new Error(`docker-registry did not start:\n${log}`, { cause: error });
  }
}

export interface PushOptions {
  /** `user:password` for the destination. */
  readonly credentials?: string;
  /** Further arguments for `skopeo copy`, such as `--format v2s2`. */
  readonly args?: readonly string[];
}

/** Copies `oci:LAYOUT:TAG` to `docker://DESTINATION` by skopeo. */
export async function pushLayout(
  layoutDir: string,
  tag: string,
  destination: string,
  options: PushOptions = {},
): Promise<void> {
  await succeed("skopeo", [
    "--insecure-policy",
    "copy",
    "--dest-tls-verify=false",
    ...(options.credentials ? ["--dest-creds", options.credentials] : ["--dest-no-creds"]),
    ...(options.args ?? []),
    `oci:${layoutDir}:${tag}`,
    `docker://${destination}`,
  ], { timeoutMs: 120_000 });
}

function portOf(host: string): number {
  return Number(host.slice(host.lastIndexOf(":") + 1));
}
