import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../src/errors.ts";
import { openStore } from "../src/store/open.ts";
import {
  type FaultAction,
  type FaultyServer,
  type SeenRequest,
  serveFaulty,
} from "./registry/faulty.ts";
import { writeLayout } from "./registry/layout.ts";
import { isLayer, layerFaults } from "./registry/one_layer.ts";
import {
  noise,
  pullWhole,
  quickSpec,
  readLayers,
  recordingLog,
  resolve,
} from "./registry/pulling.ts";
import { registryHandler } from "./registry/registry.ts";

Deno.test("a stall of the answer itself is noticed", async () => {
  const blackHole = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { log } = recordingLog();
  const host = `127.0.0.1:${blackHole.addr.port}`;
  const spec = await quickSpec(`${host}/org/app:v1`, log, { stallTimeoutMs: 50 });
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, 69);
  assertMatch(error.message, /no byte for 0.05 s \(6 tries\)/);
  blackHole.close();
});

Deno.test("Retry-After is obeyed, in seconds and as a date", async () => {
  const inTwoSeconds = () => new Date(Date.now() + 2500).toUTCString();
  for (const value of ["1", inTwoSeconds]) {
    await using server = layerFaults({
      kind: "status",
      status: 429,
      headers: { "retry-after": typeof value === "string" ? value : value() },
    });
    const { log } = recordingLog();
    const started = performance.now();
    await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
    const took = performance.now() - started;
    assert(took > 950 && took < 10_000, `${took} ms`);
  }
});

Deno.test("a Retry-After of hours is an error at once", async () => {
  await using server = layerFaults({
    kind: "status",
    status: 429,
    headers: { "retry-after": "21600" },
  });
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, 69);
  assertMatch(error.message, /429 .*it asks to try again in 21600 s$/);
});

Deno.test("a blob longer than the manifest says is 65", async () => {
  await using server = layerFaults({ kind: "long", extra: 10 });
  await assertExit(server, 65, /is longer than the 400000 bytes/);
});

Deno.test("a registry that always fails is 69, after a bounded number of tries", async () => {
  await using server = layerFaults();
  server.plan = (request) => isLayer(request) ? { kind: "status", status: 500 } : undefined;
  await assertExit(server, 69, /^pull ".*": fetch blob "sha256:.*" from .*: 500 .* \(6 tries\)/);
  assertEquals(server.requests.filter(isLayer).length, 6);
});

Deno.test("a blob that always ends early is 65", async () => {
  await using server = layerFaults();
  server.plan = (request) => isLayer(request) ? { kind: "short", after: 0 } : undefined;
  await assertExit(server, 65, /it ended after 0 of 400000 bytes \(6 tries\)/);
});

Deno.test("a manifest that was changed is 65, one that was cut once is not", async () => {
  await using server = layerFaults();
  const damage = (action: FaultAction, times: number) => {
    let n = 0;
    return ({ path }: SeenRequest) =>
      path.includes("/manifests/") && n++ < times ? action : undefined;
  };
  server.plan = damage({ kind: "corrupt", at: 100 }, Infinity);
  await assertExit(server, 65, /manifest "v1" is not what its digest says \(6 tries\)/);
  server.plan = damage({ kind: "short", after: 100 }, 1);
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
});

Deno.test("a blob the registry does not have is 69, without a retry", async () => {
  await using server = layerFaults();
  server.plan = (request) => isLayer(request) ? { kind: "status", status: 404 } : undefined;
  await assertExit(server, 69, /404/);
  assertEquals(server.requests.filter(isLayer).length, 1);
});

Deno.test("a registry that is not there is 69, soon", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const host = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  await assertExit({ host }, 69, /connection refused \(4 tries\)/);
});

Deno.test("a byte a try does not hold the pull for ever", async () => {
  await using server = layerFaults();
  server.plan = (request) => isLayer(request) ? { kind: "cut", after: 1 } : undefined;
  const { log } = recordingLog();
  const spec = { ...await quickSpec(`${server.host}/org/app:v1`, log), backoffMs: 0.1 };
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, 69);
  assert(server.requests.length < 250);
});

Deno.test("the deadline of the whole pull ends it, in the middle of a stall", async () => {
  await using server = layerFaults({ kind: "stall", after: 10 });
  const { log } = recordingLog();
  const image = `${server.host}/org/app:v1`;
  const spec = await quickSpec(image, log, { pullTimeoutMs: 300 });
  const started = performance.now();
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, 69);
  assertMatch(error.message, /not done within RUNNER_PULL_TIMEOUT/);
  assert(performance.now() - started < 5000);
});

Deno.test("an abort ends a stalled pull at once with its own reason", async () => {
  await using server = layerFaults({ kind: "stall", after: 10 });
  const { log } = recordingLog();
  const abort = new AbortController();
  const store = await openStore(
    await quickSpec(`${server.host}/org/app:v1`, log),
    log,
    abort.signal,
  );
  const image = await resolve(store);
  setTimeout(() => abort.abort(new Error("interrupted")), 100);
  const started = performance.now();
  await assertRejects(() => readLayers(store, image), Error, "interrupted");
  assert(performance.now() - started < 1500);
  store.close();
});

Deno.test("a slow reader is no stall", async () => {
  await using server = layerFaults();
  const { log, lines } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log, { stallTimeoutMs: 1500 });
  const store = await openStore(spec, log);
  const image = await resolve(store);
  let first = true;
  for await (const _ of store.blob(image.layers[0]!.blob)) {
    if (first) await new Promise((wake) => setTimeout(wake, 3000));
    first = false;
  }
  store.close();
  assertEquals(lines.filter((line) => line.includes("[INFO]")), []);
});

Deno.test("a tag that moves during the pull does not mix two images", async () => {
  const own = await Deno.makeTempDir({ prefix: "moving-" });
  const first = await writeLayout(own, { tag: "v1", layers: [{ tar: noise(5000, 2) }] });
  await using server = serveFaulty(registryHandler({ "org/app": own }));
  const { log } = recordingLog();
  const store = await openStore(await quickSpec(`${server.host}/org/app:v1`, log), log);
  assertEquals((await store.manifest()).digest as string, first.manifest.digest);
  const second = await writeLayout(own, { tag: "v1", layers: [{ tar: noise(5000, 3) }] });
  assert(second.manifest.digest !== first.manifest.digest);
  const image = await resolve(store);
  assertEquals(image.digest as string, first.manifest.digest);
  await readLayers(store, image);
  store.close();
  const byTag = server.requests.filter(({ path }) => path.endsWith("/manifests/v1"));
  assertEquals(byTag.length, 1);
  await Deno.remove(own, { recursive: true });
});

async function assertExit(
  server: Pick<FaultyServer, "host">,
  exit: number,
  message: RegExp,
): Promise<void> {
  const { log } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log);
  const error = await assertRejects(() => pullWhole(spec, log), RunnerError);
  assertEquals(error.exit, exit);
  assertMatch(error.message, message);
}

Deno.test("a host that may speak http is asked once, and its own 400 is told", async () => {
  await using server = layerFaults();
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
  // Manifest, config, layer: none to find out the scheme.
  assertEquals(server.requests.length, 3);
  server.plan = () => ({ kind: "status", status: 400 });
  await assertExit(server, 69, /GET http:.*\/manifests\/v1: 400 TOOMANYREQUESTS/);
});
