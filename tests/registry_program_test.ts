import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import { peerTest } from "./peers.ts";
import { freePort } from "./ports.ts";
import type { Finished } from "./programs.ts";
import { serveTokens } from "./registry/auth.ts";
import { type FaultAction, serveFaulty } from "./registry/faulty.ts";
import { makeKeyPair, TEST_HOST } from "./registry/jwt_tokens.ts";
import { writeLayout } from "./registry/layout.ts";
import { serveProxy } from "./registry/proxy.ts";
import { noise } from "./registry/pulling.ts";
import { registryHandler, serveRegistry } from "./registry/registry.ts";
import { tar } from "./registry/tar.ts";
import { run } from "./runner.ts";

/** What only the whole program shows: proxies from the environment, and all that it says. */

const CONTENT = noise(80_000, 11);

async function withImage(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "program-" });
  try {
    await Deno.chmod(dir, 0o755);
    await writeLayout(`${dir}/layout`, {
      tag: "v1",
      layers: [{ tar: tar([{ path: "app" }, { path: "app/data", content: CONTENT }]) }],
    });
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Pulls into a fresh root; says whether the tree is the image's. */
async function pull(
  dir: string,
  image: string,
  env: Readonly<Record<string, string>>,
): Promise<Finished & { readonly exact: boolean }> {
  const root = await Deno.makeTempDir({ dir });
  const result = await run(["pull", image], { env: { RUNNER_ROOT: root, ...env } });
  const data = await Deno.readFile(`${root}/app/data`).catch(() => new Uint8Array());
  return {
    ...result,
    exact: data.length === CONTENT.length && data.every((b, i) => b === CONTENT[i]),
  };
}

Deno.test("HTTP_PROXY carries plain requests, its login included, and not those to loopback", () =>
  withImage(async (dir) => {
    await using registry = serveRegistry({ "org/app": `${dir}/layout` });
    await using proxy = serveProxy({ [TEST_HOST]: registry.host });
    const env = {
      HTTP_PROXY: `http://pat:pr0xy-s3cret@${proxy.host}`,
      RUNNER_INSECURE_REGISTRIES: TEST_HOST,
      LOG_LEVEL: "debug",
    };
    const proxied = await pull(dir, `${TEST_HOST}/org/app:v1`, env);
    assertEquals(proxied.code, 0, proxied.stderr);
    assert(proxied.exact);
    assertMatch(proxy.seen.join("\n"), /^GET http:\/\/registry\.test\/v2\/\S+ HTTP\/1\.1 Basic /);
    assert(proxy.seen[0]!.endsWith(btoa("pat:pr0xy-s3cret")));
    assert(!proxied.stderr.includes("pr0xy-s3cret"));
    assert(!proxied.stderr.includes(btoa("pat:pr0xy-s3cret")));

    const dead = { HTTP_PROXY: `http://127.0.0.1:${freePort()}` };
    const direct = await pull(dir, `${registry.host}/org/app:v1`, dead);
    assertEquals(direct.code, 0, direct.stderr);
    const lost = await pull(dir, `${TEST_HOST}/org/app:v1`, { ...env, ...dead });
    assertEquals(lost.code, 69, lost.stderr);
  }));

peerTest(
  "HTTPS_PROXY tunnels, with the registry's own certificate checked",
  ["openssl"],
  () =>
    withImage(async (dir) => {
      const ca = await makeKeyPair(dir, "authority");
      const pair = await makeKeyPair(dir, "server", ca);
      const handler = registryHandler({ "org/app": `${dir}/layout` });
      const server = Deno.serve({
        hostname: "127.0.0.1",
        port: 0,
        onListen() {},
        cert: await Deno.readTextFile(pair.certificate),
        key: await Deno.readTextFile(pair.key),
      }, handler);
      const target = `127.0.0.1:${server.addr.port}`;
      const proxy = serveProxy({ [`${TEST_HOST}:443`]: target, "other.test:443": target });
      try {
        const env = { HTTPS_PROXY: `http://${proxy.host}`, RUNNER_CA_FILE: ca.certificate };
        const { code, stderr, exact } = await pull(dir, `${TEST_HOST}/org/app:v1`, env);
        assertEquals(code, 0, stderr);
        assert(exact);
        assertMatch(proxy.seen.join("\n"), /^CONNECT registry\.test:443/);

        const wrongName = await pull(dir, "other.test/org/app:v1", env);
        assertEquals(wrongName.code, 69);
        assertMatch(wrongName.stderr, /not trusted \(it is for another host name\)/);
        const excepted = await pull(dir, `${TEST_HOST}/org/app:v1`, {
          ...env,
          NO_PROXY: TEST_HOST,
        });
        assertEquals(excepted.code, 69);
        assertMatch(excepted.stderr, /host name is not known/);
      } finally {
        await proxy[Symbol.asyncDispose]();
        await server.shutdown();
      }
    }),
);

const PASSWORD = "p4ssword-of-the-program";
const SIGNATURE = "s1gnature-of-the-program";

/** Each once for the layer, or, where `always`, for ever. */
const faults: readonly (readonly [string, FaultAction, "once" | "always", number])[] = [
  ["nothing", { kind: "content-length", off: 0 }, "once", 0],
  ["a cut", { kind: "cut", after: 1000 }, "once", 0],
  ["a stall", { kind: "stall", after: 1000 }, "once", 0],
  ["a hang-up", { kind: "hangup" }, "once", 0],
  ["a 503", { kind: "status", status: 503 }, "once", 0],
  ["a 404", { kind: "status", status: 404 }, "once", 0],
  ["a wrong range", { kind: "content-range", value: "bytes 1-2/3" }, "once", 0],
  ["a changed byte", { kind: "corrupt", at: 5000 }, "always", 65],
  ["too many bytes", { kind: "long", extra: 5 }, "always", 65],
  [
    "a redirect to nowhere",
    { kind: "redirect", location: `ftp://x/?sig=${SIGNATURE}` },
    "always",
    69,
  ],
  ["a redirect without end", { kind: "redirect", location: `?sig=${SIGNATURE}` }, "always", 69],
];

for (const source of ["REGISTRY_PASSWORD", "DOCKER_AUTH_CONFIG"] as const) {
  Deno.test(`no secret is said at debug level, with every fault: ${source}`, async (t) => {
    await withImage(async (dir) => {
      const login = { user: "ann", password: PASSWORD };
      const registry = registryHandler({ "org/app": `${dir}/layout` });
      await using tokens = serveTokens({ login });
      await using storage = serveFaulty(registry);
      await using origin = serveFaulty(tokens.guard(registry));
      const layer = (path: string) => path.includes("/blobs/");
      // Blobs are at another origin, by signed URLs.
      origin.plan = ({ path }) =>
        layer(path)
          ? { kind: "redirect", location: `http://${storage.host}${path}?sig=${SIGNATURE}` }
          : undefined;
      const auth = btoa(`ann:${PASSWORD}`);
      const credentials: Record<string, string> = source === "REGISTRY_PASSWORD"
        ? { REGISTRY_USER: "ann", REGISTRY_PASSWORD: PASSWORD }
        : { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [origin.host]: { auth } } }) };
      for (const [name, action, times, exit] of faults) {
        await t.step(name, async () => {
          let left = times === "once" ? 1 : Infinity;
          storage.plan = () => left-- > 0 ? action : undefined;
          const env = { ...credentials, LOG_LEVEL: "debug", RUNNER_STALL_TIMEOUT: "1" };
          const result = await pull(dir, `${origin.host}/org/app:v1`, env);
          assertEquals(result.code, exit, result.stderr);
          assertEquals(result.exact, exit === 0);
          const said = result.stdout + result.stderr;
          assert(said.includes("[DEBUG]"));
          for (const secret of [PASSWORD, auth, SIGNATURE, ...tokens.secrets]) {
            assert(!said.includes(secret), `a secret was said: ${said}`);
          }
        });
      }
      for (const { headers } of storage.requests) assertEquals(headers.get("authorization"), null);
    });
  });
}
