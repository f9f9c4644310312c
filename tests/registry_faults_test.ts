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
import {
  noise,
  pullWhole,
  quickSpec,
  readLayers,
  recordingLog,
  resolve,
  seededRandom,
} from "./registry/pulling.ts";
import { registryHandler } from "./registry/registry.ts";
import { serveResettingRelay } from "./registry/resetting_relay.ts";

/** The image all tests here pull: one layer that does not compress. */
const SIZE = 400_000;
const dir = await Deno.makeTempDir({ prefix: "faults-" });
const written = await writeLayout(dir, {
  tag: "v1",
  layers: [{ tar: noise(SIZE), compression: "none" }],
});
const layer = written.layers[0]!;
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

const isLayer = ({ path }: SeenRequest) => path.endsWith(layer.digest);

/** A registry whose n-th answer for the layer goes wrong as the n-th of `actions` says. */
function layerFaults(...actions: (FaultAction | undefined)[]): FaultyServer {
  let n = 0;
  const plan = (request: SeenRequest) => isLayer(request) ? actions[n++] : undefined;
  return serveFaulty(registryHandler({ "org/app": dir }), plan);
}

interface Case {
  readonly name: string;
  readonly actions: readonly FaultAction[];
  /** What the one info line of each retry says. */
  readonly retry: RegExp;
  /** Body bytes of the layer sent, at most. @default its size */
  readonly atMost?: number;
}

const survived: readonly Case[] = [
  { name: "408", actions: [{ kind: "status", status: 408 }], retry: /: 408 TOOMANYREQUESTS/ },
  {
    name: "429 with Retry-After 0",
    actions: [{ kind: "status", status: 429, headers: { "retry-after": "0" } }],
    retry: /: 429 TOOMANYREQUESTS \(a fault of the test\)/,
  },
  { name: "500", actions: [{ kind: "status", status: 500 }], retry: /: 500/ },
  { name: "503", actions: [{ kind: "status", status: 503 }], retry: /: 503/ },
  {
    name: "an answer that never comes",
    actions: [{ kind: "hangup" }, { kind: "hangup" }],
    retry: /closed early/,
  },
  {
    name: "a cut in the middle",
    actions: [{ kind: "cut", after: 150_000 }],
    retry: /connection closed early/,
  },
  { name: "a cut before the first byte", actions: [{ kind: "cut", after: 0 }], retry: /closed/ },
  {
    name: "a stall in the middle",
    actions: [{ kind: "stall", after: 100_000 }],
    retry: /no byte for 0.2 s/,
  },
  {
    name: "a clean end that is too early",
    actions: [{ kind: "short", after: 100_000 }],
    retry: /it ended after 100000 of 400000 bytes/,
  },
  {
    name: "a Content-Length that is too small",
    actions: [{ kind: "content-length", off: -1000 }],
    retry: /it ended after 399000 of 400000 bytes/,
    atMost: SIZE + 1000,
  },
  {
    name: "a range that is ignored",
    actions: [{ kind: "cut", after: 100_000 }, { kind: "no-range" }],
    retry: /closed early/,
    atMost: SIZE + 100_000,
  },
  {
    name: "a Content-Range of another blob",
    actions: [{ kind: "cut", after: 100_000 }, { kind: "content-range", value: "bytes 5-6/7" }],
    retry: /closed early|asked for bytes 100000 to 399999, it answers with "bytes 5-6\/7"/,
    atMost: 3 * SIZE,
  },
  {
    name: "a range that begins elsewhere",
    actions: [{ kind: "cut", after: 100_000 }, { kind: "shifted-range", by: 10 }],
    retry: /closed early|answers with "bytes 100010-/,
    atMost: 3 * SIZE,
  },
  {
    name: "a 206 without Content-Range",
    actions: [{ kind: "cut", after: 100_000 }, { kind: "content-range", value: "" }],
    retry: /closed early|answers with ""/,
    atMost: 3 * SIZE,
  },
  {
    name: "416 for a range that is there",
    actions: [{ kind: "cut", after: 100_000 }, { kind: "status", status: 416 }],
    retry: /closed early|no bytes from 100000 on/,
    atMost: SIZE + 100_000,
  },
];

for (const { name, actions, retry, atMost = SIZE } of survived) {
  Deno.test(`survived: ${name}`, async () => {
    await using server = layerFaults(...actions);
    const { log, lines } = recordingLog();
    const spec = await quickSpec(`${server.host}/org/app:v1`, log, { stallTimeoutMs: 200 });
    await pullWhole(spec, log);
    assert(server.blobBytes - written.config.size <= atMost, `${server.blobBytes} bytes sent`);
    const retries = lines.filter((line) => line.includes("[INFO]"));
    assert(retries.length >= 1 && retries.length <= actions.length, retries.join(""));
    for (const line of retries) assertMatch(line, retry);
  });
}

Deno.test("survived without a retry: a Content-Length that is too large", async () => {
  await using server = layerFaults({ kind: "content-length", off: 1000 });
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
});

Deno.test("survived: TCP resets, before an answer and within the layer", async () => {
  await using server = layerFaults();
  // A connection each: before the manifest's answer, amid the layer twice, then none.
  const after = [0, 120_000, 90_000];
  await using relay = await serveResettingRelay(server.host, () => after.shift());
  const { log, lines } = recordingLog();
  const spec = await quickSpec(`${relay.host}/org/app:v1`, log);
  await pullWhole({ ...spec, endpoints: spec.endpoints.map(plainHttp) }, log);
  const retries = lines.filter((line) => line.includes("[INFO]"));
  assertEquals(retries.length, 3, lines.join(""));
  for (const line of retries) assertMatch(line, /: connection (reset|closed early)/);
  assertMatch(retries.join(""), /: connection reset/);
});

Deno.test("a stall of the answer itself is noticed", async () => {
  await using server = layerFaults();
  server.plan = (request) =>
    request.method === "HEAD" ? { kind: "status", status: 503 } : undefined;
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
    assert(took > 950 && took < 4000, `${took} ms`);
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

Deno.test("a blob cut ten times at random offsets costs at most 1.05 of its bytes", async () => {
  const random = seededRandom(20260115);
  const cuts = Array.from({ length: 10 }, () => Math.floor(random() * SIZE / 10));
  await using server = layerFaults(...cuts.map((after): FaultAction => ({ kind: "cut", after })));
  const { log } = recordingLog();
  await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log), log);
  const bytes = server.blobBytes - written.config.size;
  const ratio = bytes / SIZE;
  console.log(`cut ten times: ${bytes} of ${SIZE} bytes transferred, ratio ${ratio.toFixed(4)}`);
  assert(ratio <= 1.05);
  assertEquals(server.requests.filter(isLayer).length, 11);
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
    return ({ method, path }: SeenRequest) =>
      method === "GET" && path.includes("/manifests/") && n++ < times ? action : undefined;
  };
  server.plan = damage({ kind: "corrupt", at: 100 }, Infinity);
  await assertExit(server, 65, /manifest "sha256:.*" is not what its digest says \(6 tries\)/);
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
  assert(performance.now() - started < 1500);
});

Deno.test("an abort ends a stalled pull at once with its own reason", async () => {
  await using server = layerFaults({ kind: "stall", after: 10 });
  const { log } = recordingLog();
  const abort = new AbortController();
  const store = openStore(await quickSpec(`${server.host}/org/app:v1`, log), log, abort.signal);
  const image = await resolve(store);
  setTimeout(() => abort.abort(new Error("interrupted")), 100);
  const started = performance.now();
  await assertRejects(() => readLayers(store, image), Error, "interrupted");
  assert(performance.now() - started < 300);
  store.close();
});

Deno.test("a slow reader is no stall", async () => {
  await using server = layerFaults();
  const { log, lines } = recordingLog();
  const spec = await quickSpec(`${server.host}/org/app:v1`, log, { stallTimeoutMs: 100 });
  const store = openStore(spec, log);
  const image = await resolve(store);
  let first = true;
  for await (const _ of store.blob(image.layers[0]!.blob)) {
    if (first) await new Promise((wake) => setTimeout(wake, 400));
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
  const store = openStore(await quickSpec(`${server.host}/org/app:v1`, log), log);
  server.plan = ({ method, path }) => {
    if (method === "GET" && path.includes("/manifests/")) assertMatch(path, /@?sha256:/);
    return undefined;
  };
  assertEquals((await store.manifest()).digest as string, first.manifest.digest);
  const second = await writeLayout(own, { tag: "v1", layers: [{ tar: noise(5000, 3) }] });
  assert(second.manifest.digest !== first.manifest.digest);
  const image = await resolve(store);
  assertEquals(image.digest as string, first.manifest.digest);
  await readLayers(store, image);
  store.close();
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

function plainHttp<T extends { schemes: readonly ("https" | "http")[] }>(endpoint: T): T {
  return { ...endpoint, schemes: ["http"] };
}
