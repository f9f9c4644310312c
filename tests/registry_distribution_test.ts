import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import { openStore } from "../src/store/open.ts";
import {
  type DistributionRegistry,
  type DistributionRegistryOptions,
  pushLayout,
  startDistributionRegistry,
} from "./distribution_registry.ts";
import { peerTest } from "./peers.ts";
import { eventually, freePort } from "./ports.ts";
import {
  ISSUER,
  makeKeyPair,
  serveSignedTokens,
  SERVICE,
  type SignedTokenServer,
} from "./registry/jwt_tokens.ts";
import { writeLayout, type WrittenImage } from "./registry/layout.ts";
import {
  noise,
  pullWhole,
  quickSpec,
  readLayers,
  recordingLog,
  resolve,
} from "./registry/pulling.ts";
import { tar } from "./registry/tar.ts";

const PEERS = ["docker-registry", "skopeo"];
const LAYERS = 4;

/** A directory for keys and certificates that goes when the tests are done. */
async function keysDir(): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "keys-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  return dir;
}

/** A registry with one image, pushed by skopeo as `org/app:v1`. */
async function withImage(
  options: DistributionRegistryOptions,
  credentials: string | undefined,
  body: (registry: DistributionRegistry, dir: string, written: WrittenImage) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "distribution-" });
  const registry = await startDistributionRegistry(options);
  try {
    const written = await writeLayout(`${dir}/layout`, {
      tag: "v1",
      layers: Array.from({ length: LAYERS }, (_, i) => ({
        tar: tar([{ path: `app/${i}`, content: noise(100_000, i) }]),
      })),
    });
    const push = credentials === undefined ? {} : { credentials };
    await pushLayout(`${dir}/layout`, "v1", `${registry.host}/org/app:v1`, push);
    await body(registry, dir, written);
  } finally {
    await registry.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

peerTest("distribution registry: anonymous, by tag, by digest and by both", PEERS, async () => {
  await withImage({}, undefined, async ({ host }, _, written) => {
    const { log } = recordingLog();
    const { digest } = written.manifest;
    for (const name of ["org/app:v1", `org/app@${digest}`, `org/app:gone@${digest}`]) {
      const image = await pullWhole(await quickSpec(`${host}/${name}`, log), log);
      assertEquals(image.digest as string, digest);
    }
    const spec = await quickSpec(`${host}/org/app:gone`, log);
    const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
    assertEquals(error.exit, 69);
    assertMatch(error.message, /404 MANIFEST_UNKNOWN \(manifest unknown\): check the repository/);
  });
});

peerTest("distribution registry: htpasswd", [...PEERS, "htpasswd"], async () => {
  const login = { user: "ann", password: "hunter:2" };
  const options = { htpasswd: { [login.user]: login.password } };
  await withImage(options, "ann:hunter:2", async ({ host }) => {
    const { log, lines } = recordingLog();
    const image = `${host}/org/app:v1`;
    await pullWhole(await quickSpec(image, log, { registryLogin: login }), log);
    const wrong = { user: "ann", password: "wr0ng" };
    for (const registryLogin of [wrong, undefined]) {
      const spec = await quickSpec(image, log, { registryLogin });
      const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
      assertEquals(error.exit, 77);
      assert(!error.message.includes("wr0ng"));
    }
    assert(!/hunter|wr0ng/.test(lines.join("")));
  });
});

peerTest("distribution registry: TLS by a private authority", [...PEERS, "openssl"], async () => {
  const keys = await keysDir();
  const ca = await makeKeyPair(keys, "authority");
  const tls = await makeKeyPair(keys, "server", ca);
  await withImage({ tls }, undefined, async ({ host }) => {
    const { log, lines } = recordingLog();
    const image = `${host}/org/app:v1`;
    await pullWhole(await quickSpec(image, log, { caFile: ca.certificate }), log);
    assertMatch(lines.join(""), /GET https:\/\//);
    const untrusted = await quickSpec(image, log);
    const error = await assertRejects(() => pullWhole(untrusted, log), RunnerError);
    assertEquals(error.exit, 69);
    assertMatch(error.message, /not trusted \(unknown issuer\).*RUNNER_CA_FILE$/);

    const notPem = `${keys}/junk.pem`;
    await Deno.writeTextFile(notPem, "junk");
    for (const caFile of [notPem, `${keys}/missing.pem`]) {
      const refused = await assertRejects(() => quickSpec(image, log, { caFile }), RunnerError);
      assertEquals(refused.exit, 64);
    }

    // From https to plain http, with this very certificate: not followed.
    const front = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
      cert: await Deno.readTextFile(tls.certificate),
      key: await Deno.readTextFile(tls.key),
    }, () => new Response(null, { status: 307, headers: { location: `http://${host}/x?sig=1` } }));
    const down = await quickSpec(`127.0.0.1:${front.addr.port}/org/app:v1`, log, {
      caFile: ca.certificate,
    });
    const refused = await assertRejects(() => pullWhole(down, log), RunnerError);
    assertEquals(refused.exit, 69);
    assertMatch(refused.message, /redirects from https to unencrypted http/);
    await front.shutdown();
  });
});

/** A registry that wants tokens of 3 s, and its token server. */
async function withTokens(
  body: (registry: DistributionRegistry, tokens: SignedTokenServer) => Promise<void>,
): Promise<void> {
  const keys = await keysDir();
  const pair = await makeKeyPair(keys, "issuer");
  await using tokens = await serveSignedTokens(pair, 3);
  const token = {
    realm: tokens.realm,
    service: SERVICE,
    issuer: ISSUER,
    rootcertbundle: pair.certificate,
  };
  const { user, password } = tokens.login;
  await withImage({ token }, `${user}:${password}`, (registry) => body(registry, tokens));
}

peerTest(
  "distribution registry: tokens of 3 s, renewed in mid-pull",
  [...PEERS, "openssl"],
  () =>
    withTokens(async ({ host, log: registryLog }, tokens) => {
      for (const saidSeconds of [3, 300]) {
        tokens.saidSeconds = saidSeconds;
        const before = tokens.count;
        const { log } = recordingLog();
        const spec = await quickSpec(`${host}/org/app:v1`, log, { registryLogin: tokens.login });
        const store = await openStore(spec, log);
        const image = await resolve(store);
        assertEquals(tokens.count - before, 1);
        const [first, ...others] = image.layers;
        await readLayers(store, { ...image, layers: [first!] });
        await new Promise((wake) => setTimeout(wake, 4100));
        await readLayers(store, { ...image, layers: others });
        store.close();
        // One before the end if it was told, one after a 401 if not.
        assertEquals(tokens.count - before, 2);
      }
      // The registry did refuse one that had ended.
      assert((await registryLog()).includes("token not to be used after"));
    }),
);

peerTest(
  "distribution registry: tokens, wrong login and none",
  [...PEERS, "openssl"],
  () =>
    withTokens(async ({ host }, tokens) => {
      const { log } = recordingLog();
      const wrong = { user: tokens.login.user, password: "wr0ng" };
      for (const registryLogin of [wrong, undefined]) {
        const spec = await quickSpec(`${host}/org/app:v1`, log, { registryLogin });
        const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
        assertEquals(error.exit, 77);
        assertMatch(error.message, /401 \(incorrect username or password\)/);
      }
    }),
);

peerTest(
  "distribution registry behind nginx as a caching mirror",
  [...PEERS, "nginx"],
  () =>
    withImage({}, undefined, async (registry, dir) => {
      const port = freePort();
      await Deno.mkdir(`${dir}/nginx`);
      await Deno.writeTextFile(
        `${dir}/nginx.conf`,
        `daemon off; worker_processes 1; pid ${dir}/nginx/pid; error_log ${dir}/nginx/error.log;
       ${Deno.uid() === 0 ? "user root;" : ""}
       events {}
       http {
         access_log ${dir}/nginx/access.log;
         client_body_temp_path ${dir}/nginx/body; proxy_temp_path ${dir}/nginx/temp;
         fastcgi_temp_path ${dir}/nginx/f; uwsgi_temp_path ${dir}/nginx/u;
         scgi_temp_path ${dir}/nginx/s;
         proxy_cache_path ${dir}/nginx/cache keys_zone=blobs:1m;
         server {
           listen 127.0.0.1:${port};
           location /v2/ {
             proxy_pass http://${registry.host};
             proxy_cache blobs;
             proxy_cache_valid 200 1h;
             add_header X-Cache $upstream_cache_status;
           }
         }
       }`,
      );
      const nginx = new Deno.Command("nginx", {
        args: ["-c", `${dir}/nginx.conf`, "-p", dir, "-e", `${dir}/nginx/error.log`],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await eventually("nginx", 10_000, async () => {
          (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        });
        const { log, lines } = recordingLog();
        const mirrors = { [registry.host]: [`http://127.0.0.1:${port}`] };
        const pull = async () => {
          await pullWhole(await quickSpec(`${registry.host}/org/app:v1`, log, { mirrors }), log);
        };
        await pull();
        await pull();
        const direct = new RegExp(`(GET|HEAD) http://${registry.host}/`);
        assert(!direct.test(lines.join("")), "the origin was asked");
        const blobs = (await registry.log()).match(/"GET \/v2\/org\/app\/blobs\/[^"]*"/g) ?? [];
        assertEquals(new Set(blobs).size, LAYERS + 1);
        assertEquals(blobs.length, LAYERS + 1, "the second pull is from the cache");
      } finally {
        nginx.kill("SIGTERM");
        await nginx.status;
      }

      // With the mirror gone the origin is the fallback.
      const { log, lines } = recordingLog();
      const mirrors = { [registry.host]: [`http://127.0.0.1:${port}`] };
      await pullWhole(await quickSpec(`${registry.host}/org/app:v1`, log, { mirrors }), log);
      assertMatch(lines.join(""), /mirror .* passed over: .*connection refused/);
    }),
);
