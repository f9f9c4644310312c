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

/**
 * PEM texts of the authorities trusted beside the runtime's built-in ones: `RUNNER_CA_FILE` and the
 * system's bundle (`SSL_CERT_FILE` or the distribution's). Throws {@linkcode RunnerError} 64 for a
 * `RUNNER_CA_FILE` that cannot be used.
 */
export async function authorities(
  caFile: string | undefined,
  sslCertFile: string | undefined,
  log: Logger,
): Promise<string[]> {
  const system = await systemBundle(sslCertFile, log);
  const own = caFile === undefined ? undefined : await ownFile(caFile);
  return [system, own].filter((pem) => pem !== undefined);
}

async function ownFile(path: string): Promise<string> {
  const refuse = (problem: string) =>
    new RunnerError(Exit.settings, `read RUNNER_CA_FILE "${path}": ${problem}`);
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (error) {
    throw refuse(reason(error));
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw refuse("it holds no PEM certificate");
  if (!isUsable(pem)) throw refuse("a certificate in it is damaged");
  return pem;
}

async function systemBundle(
  sslCertFile: string | undefined,
  log: Logger,
): Promise<string | undefined> {
  for (const path of sslCertFile ? [sslCertFile] : SYSTEM_BUNDLES) {
    try {
      const pem = await Deno.readTextFile(path);
      if (isUsable(pem)) return pem;
      log.warn(`certificate authorities in "${path}" are passed over: one of them is damaged`);
      return undefined;
    } catch (error) {
      log.debug(`no certificate authorities from "${path}": ${reason(error)}`);
    }
  }
  return undefined;
}

function isUsable(pem: string): boolean {
  try {
    Deno.createHttpClient({ caCerts: [pem] }).close();
    return true;
  } catch {
    return false;
  }
}
