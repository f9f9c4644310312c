import { Exit, RunnerError } from "../../errors.ts";
import { Fault } from "../fault.ts";
import { shownUrl } from "../redact.ts";
import { describe, isTransient, readLimited, retryAfterMs } from "../reply.ts";
import type { Reply, Transport } from "../transport.ts";
import { basicAuthorization, type Credential } from "./credential.ts";
import type { Token, TokenGrant } from "./session.ts";

/** distribution, token specification: what a missing `expires_in` means. */
const DEFAULT_LIFETIME_S = 60;
const MAX_REPLY = 1024 * 1024;
const CLIENT_ID = "fastmcp-runner";

export interface Granted {
  readonly token: Token;
  /** A refresh token that replaces the one used. A secret. */
  readonly refreshToken: string | undefined;
}

/**
 * Asks a token endpoint for a token: anonymously or with Basic by GET, with a refresh token by the
 * POST of the OAuth2 variant; with a password by that POST too where GET is not offered.
 *
 * Throws {@linkcode RunnerError} 77 when the login is refused, {@linkcode Fault} when another
 * attempt may help.
 */
export async function requestToken(
  transport: Transport,
  grant: TokenGrant,
  credential: Credential | undefined,
): Promise<Granted> {
  if (credential?.kind === "identity") {
    const form = oauthForm(grant, { grant_type: "refresh_token", refresh_token: credential.token });
    return await granted("POST", await post(transport, grant, form), credential);
  }
  const reply = await get(transport, grant, credential);
  if ((reply.status === 404 || reply.status === 405) && credential !== undefined) {
    await reply.discard();
    const { user, password } = credential;
    const form = oauthForm(grant, { grant_type: "password", username: user, password });
    return await granted("POST", await post(transport, grant, form), credential);
  }
  return await granted("GET", reply, credential);
}

function get(
  transport: Transport,
  grant: TokenGrant,
  credential: (Credential & { kind: "password" }) | undefined,
): Promise<Reply> {
  const url = new URL(grant.realm);
  if (grant.service !== undefined) url.searchParams.set("service", grant.service);
  for (const scope of grant.scope.split(" ")) url.searchParams.append("scope", scope);
  if (credential === undefined) return transport.send({ method: "GET", url });
  url.searchParams.set("account", credential.user);
  const authorization = basicAuthorization(credential.user, credential.password);
  return transport.send({ method: "GET", url, authorization });
}

function oauthForm(grant: TokenGrant, fields: Record<string, string>): URLSearchParams {
  const form = new URLSearchParams({ ...fields, client_id: CLIENT_ID, scope: grant.scope });
  if (grant.service !== undefined) form.set("service", grant.service);
  return form;
}

function post(transport: Transport, grant: TokenGrant, form: URLSearchParams): Promise<Reply> {
  return transport.send({ method: "POST", url: new URL(grant.realm), form });
}

async function granted(
  method: string,
  reply: Reply,
  credential: Credential | undefined,
): Promise<Granted> {
  if (isTransient(reply.status)) {
    const wait = retryAfterMs(reply.headers);
    throw new Fault("status", await describe(method, reply), wait);
  }
  if (reply.status < 200 || reply.status > 299) {
    const said = await describe(method, reply);
    throw new RunnerError(
      Exit.auth,
      credential === undefined
        ? `get an anonymous token: ${said}: the image is private or does not exist: set ` +
          `REGISTRY_USER and REGISTRY_PASSWORD`
        : `log in: ${said}: check the user and the password or token`,
    );
  }
  const bytes = await readLimited(reply.body, MAX_REPLY);
  const { parseJson, TokenReply } = await import("../wire.ts");
  const body = bytes && parseJson(new TextDecoder().decode(bytes), TokenReply);
  // Docker's field is `token`, OAuth2's `access_token`; some endpoints send both, one empty.
  const value = body?.token || body?.access_token;
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw new RunnerError(
      Exit.unavailable,
      `get a token from ${shownUrl(reply.url)}: the answer has no usable token`,
    );
  }
  const said = body?.expires_in ?? 0;
  const lifetimeMs = (said > 0 ? said : DEFAULT_LIFETIME_S) * 1000;
  // Renewed a little early, so that it does not end on the way.
  const renewAt = Date.now() + lifetimeMs - Math.min(10_000, lifetimeMs / 10);
  return { token: { value, renewAt }, refreshToken: body?.refresh_token || undefined };
}
