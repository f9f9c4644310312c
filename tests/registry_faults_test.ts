import { assert, assertEquals, assertMatch } from "@std/assert/mod.js";
import type { FaultAction } from "./registry/faulty.ts";
import { isLayer, layerFaults, SIZE, written } from "./registry/one_layer.ts";
import { pullWhole, quickSpec, recordingLog, seededRandom } from "./registry/pulling.ts";
import { serveResettingRelay } from "./registry/resetting_relay.ts";

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
    retry: /no byte for 0.6 s/,
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
    // Where nothing stalls, a busy machine's own pause is no fault.
    const stalls = actions.some(({ kind }) => kind === "stall");
    const changes = stalls ? { stallTimeoutMs: 600 } : {};
    await pullWhole(await quickSpec(`${server.host}/org/app:v1`, log, changes), log);
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

function plainHttp<T extends { schemes: readonly ("https" | "http")[] }>(endpoint: T): T {
  return { ...endpoint, schemes: ["http"] };
}
