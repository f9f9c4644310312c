import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import type { Credential } from "../src/registry/auth/credential.ts";
import type { RegistrySpec } from "../src/registry/spec.ts";
import { openStore } from "../src/store/open.ts";
import { serveTokens, type TokenServerOptions, withBasic } from "./registry/auth.ts";
import { serveFaulty } from "./registry/faulty.ts";
import { writeLayout } from "./registry/layout.ts";
import {
  noise,
  pullWhole,
  quickSpec,
  readLayers,
  recordingLog,
  resolve,
} from "./registry/pulling.ts";
import { type Handler, registryHandler } from "./registry/registry.ts";

const dir = await Deno.makeTempDir({ prefix: "auth-" });
await writeLayout(dir, {
  tag: "v1",
  layers: [1, 2, 3].map((seed) => ({ tar: noise(20_000, seed) })),
});
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
const registry = registryHandler({ "org/app": dir });

const LOGIN = { user: "ann", password: "p:ss wörd" };

Deno.test("Basic: the login is sent once it is asked for, and not before", async () => {
  // btoa takes no UTF-8, so this password is plain.
  const login = { user: "ann", password: "pa:ss" };
  await using server = serveFaulty(withBasic(registry, login.user, login.password));
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: login });
  await pullWhole(spec, log);
  const headers = server.requests.map(({ headers }) => headers.get("authorization"));
  // The first request, by which the scheme is found, goes without.
  assertEquals(headers[0], null);
  assertEquals(new Set(headers.slice(1)), new Set([`Basic ${btoa("ann:pa:ss")}`]));
});

Deno.test("Basic: a user and password in UTF-8", async () => {
  let seen = "";
  const handler: Handler = (request) => {
    const header = request.headers.get("authorization");
    seen = header ?? seen;
    if (header !== null) return registry(request);
    const headers = { "www-authenticate": 'Basic realm="r"' };
    return Promise.resolve(new Response(null, { status: 401, headers }));
  };
  await using server = serveFaulty(handler);
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: LOGIN }), log);
  const sent = new TextDecoder().decode(Uint8Array.fromBase64(seen.slice("Basic ".length)));
  assertEquals(sent, "ann:p:ss wörd");
});

interface Refusal {
  readonly name: string;
  readonly handler: Handler;
  readonly login?: { user: string; password: string };
  readonly exit: number;
  readonly message: RegExp;
}

const challenge = (header: string): Handler => () =>
  Promise.resolve(new Response(null, { status: 401, headers: { "www-authenticate": header } }));

const refusals: readonly Refusal[] = [
  {
    name: "no login where one is wanted",
    handler: withBasic(registry, "ann", "secret"),
    exit: 77,
    message: /wants a login: set REGISTRY_USER and REGISTRY_PASSWORD$/,
  },
  {
    name: "a wrong password",
    handler: withBasic(registry, "ann", "secret"),
    login: { user: "ann", password: "wr0ng" },
    exit: 77,
    message: /it refused the user and password/,
  },
  {
    name: "a scheme that is not known",
    handler: challenge('Negotiate, Digest realm="x"'),
    login: LOGIN,
    exit: 77,
    message: /it offers "negotiate", "digest", not Basic or Bearer$/,
  },
  {
    name: "no challenge at all",
    handler: () => Promise.resolve(new Response(null, { status: 401 })),
    exit: 77,
    message: /it offers nothing, not Basic or Bearer$/,
  },
  {
    name: "a token endpoint that is no URL",
    handler: challenge('Bearer realm="/relative"'),
    exit: 69,
    message: /token endpoint that is no URL: "\/relative"$/,
  },
  {
    name: "403",
    handler: () =>
      Promise.resolve(
        Response.json({ errors: [{ code: "DENIED", message: "denied" }] }, { status: 403 }),
      ),
    exit: 77,
    message: /403 DENIED \(denied\): the image is private or does not exist/,
  },
];

for (const { name, handler, login, exit, message } of refusals) {
  Deno.test(`refused: ${name}`, async () => {
    await using server = serveFaulty(handler);
    const { log, lines } = recordingLog();
    const spec = await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: login });
    const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
    assertEquals(error.exit, exit);
    assertMatch(error.message, message);
    if (login !== undefined) assert(!(error.message + lines.join("")).includes(login.password));
  });
}

/** A guarded registry and the requests its token server saw for one pull. */
async function pullByToken(
  options: TokenServerOptions,
  credential: Credential | undefined,
): Promise<readonly string[]> {
  await using tokens = serveTokens(options);
  await using server = serveFaulty(tokens.guard(registry));
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  await pullWhole(withCredential(spec, credential), log);
  return [...tokens.requests];
}

Deno.test("Bearer: anonymous, with a login, in either field, with a refresh token", async () => {
  const login = { user: "ann", password: "secret" };
  const asked = ["GET repository:org/app:pull"];
  assertEquals(await pullByToken({}, undefined), asked);
  assertEquals(await pullByToken({ field: "access_token" }, undefined), asked);
  assertEquals(await pullByToken({ login }, { kind: "password", ...login }), asked);
  const refresh = { kind: "identity", token: "refresh-0" } as const;
  assertEquals(
    await pullByToken({ login, refreshToken: "refresh-0" }, refresh),
    ["POST refresh_token repository:org/app:pull"],
  );
});

Deno.test("Bearer: a token endpoint that takes no GET gets the login by POST", async () => {
  const login = { user: "ann", password: "secret" };
  for (const refusesGet of [404, 405] as const) {
    const options = { login, refusesGet };
    const asked = ["GET repository:org/app:pull", "POST password repository:org/app:pull"];
    assertEquals(await pullByToken(options, { kind: "password", ...login }), asked);
    const wrong = { kind: "password", user: "ann", password: "hunter2" } as const;
    const error = await assertRejects(() => pullByToken(options, wrong), RunnerError);
    assertEquals(error.exit, 77);
    assert(!error.message.includes("hunter2"));
    const nobody = await assertRejects(() => pullByToken(options, undefined), RunnerError);
    assertEquals(nobody.exit, 77);
  }
});

Deno.test("Bearer: a wrong login at the token endpoint is 77", async () => {
  const options = { login: { user: "ann", password: "secret" } };
  const wrong = { kind: "password", user: "ann", password: "hunter2" } as const;
  const error = await assertRejects(() => pullByToken(options, wrong), RunnerError);
  assertEquals(error.exit, 77);
  assertMatch(error.message, /401 \(incorrect username or password\): check the user/);
  assert(!error.message.includes("hunter2"));
  const nobody = await assertRejects(() => pullByToken(options, undefined), RunnerError);
  assertEquals(nobody.exit, 77);
  assertMatch(nobody.message, /set REGISTRY_USER and REGISTRY_PASSWORD$/);
});

Deno.test("Bearer: a token that ends before it said is renewed in mid-pull", async () => {
  await using tokens = serveTokens({ refreshToken: "refresh-0" });
  await using server = serveFaulty(tokens.guard(registry));
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  const store = await openStore(
    withCredential(spec, { kind: "identity", token: "refresh-0" }),
    log,
  );
  const image = await resolve(store);
  tokens.endAll();
  await readLayers(store, image);
  // The one for the manifest, the one after its end; the second used the replaced refresh token.
  assertEquals(tokens.requests.length, 2);

  // A Worker has the spec alone, and has to renew too.
  tokens.endAll();
  const worker = await openStore(structuredClone(store.spec), log);
  store.close();
  await readLayers(worker, image);
  worker.close();
  assertEquals(tokens.requests.length, 3);
});

Deno.test("Bearer: a token about to end is renewed before it is refused", async () => {
  await using tokens = serveTokens({ saidSeconds: 0.5 });
  await using server = serveFaulty(tokens.guard(registry));
  const { log } = recordingLog();
  const store = await openStore(await quickSpec(`${server.host}/org/app:v1`, log), log);
  const image = await resolve(store);
  await new Promise((wake) => setTimeout(wake, 550));
  tokens.endAll();
  const before = server.requests.length;
  await readLayers(store, image);
  store.close();
  assertEquals(server.requests.length - before, image.layers.length);
});

Deno.test("a registry that quotes the login back does not get it said", async () => {
  const login = { user: "ann", password: "s3cret-quoted" };
  const quoting: Handler = (request) => {
    const sent = request.headers.get("authorization");
    if (sent === null) return challenge('Basic realm="r"')(request);
    const message = `bad login ${sent}, that is ${atob(sent.slice("Basic ".length))}`;
    return Promise.resolve(
      Response.json({ errors: [{ code: "DENIED", message }] }, { status: 403 }),
    );
  };
  await using server = serveFaulty(quoting);
  const { log, lines } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: login });
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertMatch(error.message, /403 DENIED \(bad login Basic \*\*\*, that is \*\*\*\)/);
  assert(!lines.join("").includes(login.password));
});

Deno.test("after close nothing of the login is left in the spec", async () => {
  await using tokens = serveTokens({
    login: { user: "a", password: "s3cret" },
  });
  await using server = serveFaulty(tokens.guard(registry));
  const { log, lines } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  const credential = { kind: "password", user: "a", password: "s3cret" } as const;
  const store = await openStore(withCredential(spec, credential), log);
  await readLayers(store, await resolve(store));
  assert(JSON.stringify(store.spec).includes("s3cret"));
  store.close();
  for (const secret of ["s3cret", ...tokens.secrets]) {
    assert(!JSON.stringify(store.spec).includes(secret));
    assert(!lines.join("").includes(secret));
  }
});

function withCredential(spec: RegistrySpec, credential: Credential | undefined): RegistrySpec {
  return { ...spec, endpoints: spec.endpoints.map((endpoint) => ({ ...endpoint, credential })) };
}
