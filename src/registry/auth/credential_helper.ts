import * as z from "zod/mini";
import { reason } from "../../errors.ts";
import { shownText } from "../redact.ts";
import { parseJson } from "../wire.ts";
import type { Credential } from "./credential.ts";

const HelperReply = z.object({ Username: z.string(), Secret: z.string() });

/** What helpers use as the user when the secret is a refresh token. */
const TOKEN_USER = "<token>";
/** A helper may ask a cloud's metadata service; one that hangs must not hang the start. */
const TIMEOUT_MS = 30_000;
/** Ours, and none of a helper's business. */
const OUR_SECRETS = ["REGISTRY_USER", "REGISTRY_PASSWORD", "DOCKER_AUTH_CONFIG"];

/**
 * Asks `docker-credential-NAME get` for a registry's login (docker-credential-helpers: the registry
 * on stdin, JSON on stdout). `undefined` if it has none.
 *
 * @throws {Error} when the helper cannot be run or fails
 */
export async function askHelper(name: string, key: string): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new Error(`"${shownText(name, 60)}" is no name of a credential helper`);
  }
  const { success, stdout } = await runHelper(`docker-credential-${name}`, key);
  if (!success) {
    const said = shownText(stdout, 200);
    // The protocol's own words for "I have none", the same in every helper.
    if (/credentials not found/i.test(said)) return undefined;
    throw new Error(`docker-credential-${name} failed: ${said}`);
  }
  const reply = parseJson(stdout, HelperReply);
  if (reply === undefined) throw new Error(`docker-credential-${name} answered no credentials`);
  const { Username: user, Secret: secret } = reply;
  if (secret === "") return undefined;
  return user === TOKEN_USER
    ? { kind: "identity", token: secret }
    : { kind: "password", user, password: secret };
}

async function runHelper(
  program: string,
  input: string,
): Promise<{ success: boolean; stdout: string }> {
  const env = Deno.env.toObject();
  for (const secret of OUR_SECRETS) delete env[secret];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args: ["get"],
      clearEnv: true,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "not on PATH" : reason(error);
    throw new Error(`${program} cannot be run: ${why}`);
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, TIMEOUT_MS);
  try {
    const writer = child.stdin.getWriter();
    // A helper that needs no input may have closed it.
    await writer.write(new TextEncoder().encode(`${input}\n`)).catch(() => {});
    await writer.close().catch(() => {});
    const { success, stdout } = await child.output();
    if (late) throw new Error(`${program} did not answer within ${TIMEOUT_MS / 1000} s`);
    return { success, stdout: new TextDecoder().decode(stdout) };
  } finally {
    clearTimeout(timer);
  }
}
