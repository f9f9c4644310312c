import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import { parseImageSource } from "../src/reference/source.ts";
import { serveTokens, withBasic } from "./registry/auth.ts";
import { type FaultyServer, type SeenRequest, serveFaulty } from "./registry/faulty.ts";
import { writeLayout } from "./registry/layout.ts";
import { noise, pullWhole, quickSpec, recordingLog } from "./registry/pulling.ts";
import { type Handler, registryHandler } from "./registry/registry.ts";

const dir = await Deno.makeTempDir({ prefix: "redirects-" });
const written = await writeLayout(dir, { tag: "v1", layers: [{ tar: noise(50_000) }] });
const layer = written.layers[0]!;
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

const registry = registryHandler({ "org/app": dir });
const login = { user: "ann", password: "s3cret-password" };
const isLayer = ({ path }: SeenRequest) => path.includes(layer.digest);
const bare = ({ path }: SeenRequest) => path.split("?")[0];

/** Sends what it guards to another origin, with a signed URL, as registries do with blobs. */
function redirectTo(server: FaultyServer, other: FaultyServer, status = 307): void {
  server.plan = (request) =>
    isLayer(request)
      ? { kind: "redirect", status, location: `http://${other.host}${request.path}?sig=s1gned` }
      : undefined;
}

Deno.test("a blob at another origin is fetched without the login", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await using storage = serveFaulty(registry);
    await using server = serveFaulty(withBasic(registry, login.user, login.password));
    redirectTo(server, storage, status);
    const { log, lines } = recordingLog();
    const spec = await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: login });
    await pullWhole(spec, log);
    assertEquals(storage.requests.length, 1);
    assertEquals(storage.requests[0]?.headers.get("authorization"), null);
    assertEquals(storage.requests[0]?.path.endsWith("?sig=s1gned"), true);
    assert(!lines.join("").includes("s1gned"));
  }
});

Deno.test("a redirect within the origin keeps the login, a way back from another has none", async () => {
  await using storage = serveFaulty(registry);
  await using server = serveFaulty(withBasic(registry, login.user, login.password));
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log, { registryLogin: login });
  server.plan = (request) =>
    isLayer(request) && !request.path.includes("?")
      ? { kind: "redirect", location: `${request.path}?again` }
      : undefined;
  await pullWhole(spec, log);

  const before = server.requests.length;
  server.plan = (request) =>
    isLayer(request) && !request.path.includes("?")
      ? { kind: "redirect", location: `http://${storage.host}${request.path}` }
      : undefined;
  storage.plan = ({ path }) => ({
    kind: "redirect",
    location: `http://${server.host}${path}?back`,
  });
  await assertRejects(() => pullWhole(spec, log), RunnerError);
  const back = server.requests.slice(before).filter(({ path }) => path.endsWith("?back"));
  assert(back.length > 0);
  for (const { headers } of back) assertEquals(headers.get("authorization"), null);
});

Deno.test("a signed URL that has run out is asked for anew, from where the blob was cut", async () => {
  await using storage = serveFaulty(registry);
  await using server = serveFaulty(registry);
  redirectTo(server, storage);
  let n = 0;
  storage.plan = () =>
    ([{ kind: "cut", after: 20_000 }, { kind: "status", status: 403 }] as const)[n++];
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
  assertEquals(storage.requests.map(({ headers }) => headers.get("range")), [
    null,
    "bytes=20000-",
    "bytes=20000-",
  ]);
  assertEquals(server.requests.filter(isLayer).length, 3);
});

Deno.test("more than ten redirects are refused, ten are followed", async () => {
  await using server = serveFaulty(registry);
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  const hopsOf = ({ path }: SeenRequest) => Number(path.split("?")[1] ?? "0");
  const hop = (limit: number) => (request: SeenRequest) =>
    isLayer(request) && hopsOf(request) < limit
      ? {
        kind: "redirect" as const,
        location: `${bare(request)}?${hopsOf(request) + 1}`,
      }
      : undefined;
  server.plan = hop(10);
  await pullWhole(spec, log);
  server.plan = hop(11);
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, 69);
  assertMatch(error.message, /more than 10 redirects$/);
});

Deno.test("redirects to other schemes and to nowhere are refused", async () => {
  await using server = serveFaulty(registry);
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  for (
    const [location, message] of [
      ["file:///etc/passwd", /redirects to a file: URL$/],
      ["http://[", /redirects to what is no URL$/],
    ] as const
  ) {
    server.plan = (request) => isLayer(request) ? { kind: "redirect", location } : undefined;
    const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
    assertEquals(error.exit, 69);
    assertMatch(error.message, message);
  }
});

Deno.test("a login that is redirected goes nowhere else", async () => {
  await using tokens = serveTokens({ refreshToken: "refresh-0" });
  await using elsewhere = serveFaulty(registry);
  await using front = serveFaulty(
    registry,
    () => ({ kind: "redirect", location: `http://${elsewhere.host}/token` }),
  );
  const guard = tokens.guard(registry);
  const misdirected: Handler = async (request) => {
    const response = await guard(request);
    const header = response.headers.get("www-authenticate");
    if (header === null) return response;
    const headers = { "www-authenticate": header.replace(tokens.realm, `http://${front.host}/t`) };
    return new Response(null, { status: 401, headers });
  };
  await using server = serveFaulty(misdirected);
  const { log } = recordingLog();
  const image = `${server.host}/org/app:v1`;
  const spec = await quickSpec(image, log, { registryLogin: login });
  await assertRejects(() => pullWhole(spec, log), RunnerError);
  for (const { headers } of elsewhere.requests) assertEquals(headers.get("authorization"), null);
  const count = elsewhere.requests.length;

  const credential = { kind: "identity", token: "refresh-0" } as const;
  const identity = {
    ...spec,
    endpoints: spec.endpoints.map((endpoint) => ({ ...endpoint, credential })),
  };
  const error = await assertRejects(() => pullWhole(identity, log), RunnerError);
  assertMatch(error.message, /it redirects a login$/);
  assertEquals(elsewhere.requests.length, count);
});

Deno.test("mirrors are tried first, and the origin when they fail", async () => {
  const broken: FaultyServer[] = [];
  await using origin = serveFaulty(withBasic(registry, login.user, login.password));
  await using good = serveFaulty(registryHandler({ "cache/org/app": dir }));
  await using bad = serveFaulty(registry);
  broken.push(bad);
  const { log, lines } = recordingLog();
  const mirrors = (...urls: string[]) => ({
    registryLogin: login,
    mirrors: { [origin.host]: urls },
  });
  const image = `${origin.host}/org/app:v1`;

  await pullWhole(await quickSpec(image, log, mirrors(`http://${good.host}/cache`)), log);
  assertEquals(origin.requests.length, 0);
  assertEquals(
    good.requests.every(({ headers }) => headers.get("authorization") === null),
    true,
  );

  // A mirror that fails in the middle of the blob: the origin goes on from there.
  let n = 0;
  bad.plan = (request) =>
    !isLayer(request)
      ? undefined
      : n++ === 0
      ? { kind: "cut", after: 10_000 }
      : { kind: "status", status: 500 };
  await pullWhole(await quickSpec(image, log, mirrors(`http://${bad.host}`)), log);
  const resumed = origin.requests.filter(isLayer).at(-1);
  assertEquals(resumed?.headers.get("range"), "bytes=10000-");

  // A mirror without the image.
  await using empty = serveFaulty(registryHandler({}));
  await pullWhole(await quickSpec(image, log, mirrors(`http://${empty.host}`)), log);
  assertMatch(lines.join(""), /mirror .* passed over: .*404 NAME_UNKNOWN/);
});

Deno.test("a mirror over plain HTTP must be listed, but on loopback", async () => {
  const { log } = recordingLog();
  const mirrors = { "docker.io": ["http://mirror.example"] };
  const error = await assertRejects(() => quickSpec("alpine", log, { mirrors }), RunnerError);
  assertEquals(error.exit, 64);
  const insecureRegistries = ["mirror.example"];
  const spec = await quickSpec("alpine", log, { mirrors, insecureRegistries });
  assertEquals(spec.endpoints.map(({ host, schemes }) => [host, schemes]), [
    ["mirror.example", ["http"]],
    ["registry-1.docker.io", ["https"]],
  ]);
  assertEquals(parseImageSource("alpine").kind, "registry");
});
