import { createPrivateKey, sign } from "node:crypto";
import { succeed } from "../programs.ts";

/** A key pair and its certificate, made by openssl, in `dir`. */
export interface KeyPair {
  /** Paths of PEM files. */
  readonly key: string;
  readonly certificate: string;
}

/** A name that only a proxy of the tests knows. */
export const TEST_HOST = "registry.test";

/** A self-signed certificate, or, with `ca`, one for 127.0.0.1, localhost and `TEST_HOST` signed by it. */
export async function makeKeyPair(dir: string, name: string, ca?: KeyPair): Promise<KeyPair> {
  const pair = { key: `${dir}/${name}.key`, certificate: `${dir}/${name}.crt` };
  const subject = ["-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`, "-days", "2"];
  const signer = ca === undefined ? ["-addext", "basicConstraints=critical,CA:TRUE"] : [
    ...["-CA", ca.certificate, "-CAkey", ca.key],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ...["-addext", `subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:${TEST_HOST}`],
  ];
  const files = ["-keyout", pair.key, "-out", pair.certificate];
  await succeed("openssl", ["req", "-x509", ...subject, ...signer, ...files]);
  return pair;
}

export interface SignedTokenServer extends AsyncDisposable {
  readonly realm: string;
  /** The login that gets tokens for whatever it asks. */
  readonly login: { readonly user: string; readonly password: string };
  /** How often a token was given out. */
  readonly count: number;
  /** What `expires_in` says, in seconds. */
  saidSeconds: number;
}

export const ISSUER = "test issuer";
export const SERVICE = "test registry";

/** The distribution registry takes a token for so long after its end. */
const LEEWAY_S = 60;

/**
 * A token server for the distribution registry: signs JWTs that it accepts (RS256, certificate in
 * `x5c`) for `lifetimeS` seconds.
 */
export async function serveSignedTokens(
  pair: KeyPair,
  lifetimeS: number,
): Promise<SignedTokenServer> {
  const key = createPrivateKey(await Deno.readTextFile(pair.key));
  const pem = await Deno.readTextFile(pair.certificate);
  const der = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  const login = { user: "ann", password: "t0ken-s3cret" };
  const wanted = `Basic ${btoa(`${login.user}:${login.password}`)}`;

  const encode = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
  const makeToken = (scope: string | null) => {
    const now = Math.floor(Date.now() / 1000);
    const [type, name, actions] = (scope ?? "").split(":");
    const access = scope === null ? [] : [{ type, name, actions: actions?.split(",") }];
    const header = { typ: "JWT", alg: "RS256", x5c: [der] };
    const claims = {
      iss: ISSUER,
      sub: login.user,
      aud: SERVICE,
      exp: now + lifetimeS - LEEWAY_S,
      nbf: now - 120,
      iat: now - 120,
      jti: crypto.randomUUID(),
      access,
    };
    const text = `${encode(header)}.${encode(claims)}`;
    const signature = new Uint8Array(sign("sha256", new TextEncoder().encode(text), key));
    return `${text}.${signature.toBase64({ alphabet: "base64url", omitPadding: true })}`;
  };

  const state = { count: 0, saidSeconds: lifetimeS };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("authorization") !== wanted) {
      return Response.json({ details: "incorrect username or password" }, { status: 401 });
    }
    state.count++;
    const token = makeToken(new URL(request.url).searchParams.get("scope"));
    return Response.json({ token, access_token: token, expires_in: state.saidSeconds });
  });
  return {
    realm: `http://127.0.0.1:${server.addr.port}/token`,
    login,
    get count() {
      return state.count;
    },
    set saidSeconds(seconds: number) {
      state.saidSeconds = seconds;
    },
    get saidSeconds() {
      return state.saidSeconds;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
