import { Exit, reason, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** Where distributions keep the authorities their administrator trusts, as Go looks for them. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Which authorities are trusted beside the runtime's built-in ones; plain data. */
export interface Authorities {
  /** The PEM text of `RUNNER_CA_FILE`. */
  readonly own: string | undefined;
  /** `SSL_CERT_FILE`, in place of the system's bundle. */
  readonly sslCertFile: string | undefined;
}

/** The PEM text of a `RUNNER_CA_FILE`; throws {@linkcode RunnerError} 64 if it cannot be used. */
export async function ownAuthorities(path: string): Promise<string> {
  const refuse = (problem: string) =>
    new RunnerError(Exit.settings, `read RUNNER_CA_FILE "${path}": ${problem}`);
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (error) {
    throw refuse(reason(error));
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw refuse("it holds no PEM certificate");
  const client = tryClient([pem]);
  if (client === undefined) throw refuse("a certificate in it is damaged");
  client.close();
  return pem;
}

/**
 * An HTTP client that trusts them. HTTP/1.1: a connection a layer, so that no flow-control window
 * is shared among them.
 */
export async function secureClient(
  { own, sslCertFile }: Authorities,
  log: Logger,
): Promise<Deno.HttpClient> {
  const ca = own === undefined ? [] : [own];
  const system = await systemBundle(sslCertFile, log);
  const client = system && tryClient([system.pem, ...ca]);
  if (client !== undefined) return client;
  if (system !== undefined) {
    log.warn(
      `certificate authorities in "${system.path}" are passed over: one of them is damaged`,
    );
  }
  return Deno.createHttpClient({ caCerts: ca, http2: false });
}

async function systemBundle(
  sslCertFile: string | undefined,
  log: Logger,
): Promise<{ readonly path: string; readonly pem: string } | undefined> {
  for (const path of sslCertFile ? [sslCertFile] : SYSTEM_BUNDLES) {
    try {
      return { path, pem: await Deno.readTextFile(path) };
    } catch (error) {
      log.debug(`no certificate authorities from "${path}": ${reason(error)}`);
    }
  }
  return undefined;
}

function tryClient(caCerts: string[]): Deno.HttpClient | undefined {
  try {
    return Deno.createHttpClient({ caCerts, http2: false });
  } catch {
    return undefined;
  }
}
