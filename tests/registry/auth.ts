import type { Handler } from "./registry.ts";

/** Logins for the embedded registry: Basic, and Bearer with a token server beside it. */

/** Lets through only requests with this Basic login. */
export function withBasic(handler: Handler, user: string, password: string): Handler {
  const wanted = `Basic ${btoa(`${user}:${password}`)}`;
  return (request) =>
    request.headers.get("authorization") === wanted
      ? handler(request)
      : Promise.resolve(unauthorized(`Basic realm="test, registry"`));
}

export interface TokenServerOptions {
  /** How many requests a token is good for. @default any number */
  readonly uses?: number;
  /** What `expires_in` says; a token ends where the test says so. @default 300 */
  readonly saidSeconds?: number;
  /** Which field the token is in. @default "token" */
  readonly field?: "token" | "access_token";
  /** The login that gets tokens. @default undefined: anybody */
  readonly login?: { readonly user: string; readonly password: string };
  /** GET is refused with this status; the login gets tokens by POST (RFC 6749, 4.3). */
  readonly refusesGet?: 404 | 405;
  /** The refresh token that gets tokens by POST; it is replaced at every use. */
  readonly refreshToken?: string;
}

export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  /** How each request asked: `GET`, `POST refresh_token`… with its scope. */
  readonly requests: readonly string[];
  /** Every secret it has given out. */
  readonly secrets: readonly string[];
  /** Ends every token given out so far, whatever was said of its lifetime. */
  endAll(): void;
  /** Lets through only requests with a token that has not ended or been used up. */
  guard(handler: Handler): Handler;
}

/** A token server (distribution's token specification) with opaque tokens. */
export function serveTokens(options: TokenServerOptions): TokenServer {
  const tokens = new Map<string, { uses: number }>();
  const requests: string[] = [];
  const secrets: string[] = [];
  let refreshToken = options.refreshToken;

  const grant = () => {
    const token = `tok-${crypto.randomUUID()}`;
    tokens.set(token, { uses: options.uses ?? Infinity });
    secrets.push(token);
    const expires_in = options.saidSeconds ?? 300;
    const body: Record<string, unknown> = { [options.field ?? "token"]: token, expires_in };
    if (refreshToken !== undefined) {
      refreshToken = `refresh-${crypto.randomUUID()}`;
      secrets.push(refreshToken);
      body.refresh_token = refreshToken;
    }
    return Response.json(body);
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const url = new URL(request.url);
      if (request.method === "POST") {
        const form = new URLSearchParams(await request.text());
        requests.push(`POST ${form.get("grant_type")} ${form.get("scope")}`);
        const { login } = options;
        if (form.get("grant_type") === "password") {
          return options.refusesGet !== undefined && login !== undefined &&
              form.get("username") === login.user && form.get("password") === login.password
            ? grant()
            : Response.json({ error: "invalid_grant" }, { status: 401 });
        }
        return refreshToken !== undefined && form.get("refresh_token") === refreshToken
          ? grant()
          : Response.json({ error: "invalid_grant" }, { status: 401 });
      }
      requests.push(`GET ${url.searchParams.get("scope")}`);
      if (options.refusesGet !== undefined) {
        return new Response(null, { status: options.refusesGet });
      }
      if (options.login === undefined) return grant();
      const { user, password } = options.login;
      return request.headers.get("authorization") === `Basic ${btoa(`${user}:${password}`)}`
        ? grant()
        : Response.json({ details: "incorrect username or password" }, { status: 401 });
    },
  );
  const realm = `http://127.0.0.1:${server.addr.port}/token`;
  return {
    realm,
    requests,
    secrets,
    endAll: () => tokens.clear(),
    guard: (handler) => (request) => {
      const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
      const state = tokens.get(token);
      if (state !== undefined && state.uses-- > 0) return handler(request);
      const repository = /^\/v2\/(.+)\/(manifests|blobs)\//.exec(new URL(request.url).pathname)
        ?.[1];
      return Promise.resolve(unauthorized(
        `Negotiate, Bearer realm="${realm}",service="test",scope="repository:${repository}:pull"`,
      ));
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function unauthorized(challenge: string): Response {
  return Response.json({ errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] }, {
    status: 401,
    headers: { "www-authenticate": challenge },
  });
}
