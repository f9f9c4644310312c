import { assert, assertEquals } from "@std/assert/mod.js";
import { createHash } from "node:crypto";
import { RunnerError } from "../src/errors.ts";
import { extract } from "../src/extract/extract.ts";
import { openStore } from "../src/store/open.ts";
import { serveTokens } from "./registry/auth.ts";
import { type FaultAction, type FaultPlan, serveFaulty } from "./registry/faulty.ts";
import { writeLayout } from "./registry/layout.ts";
import { noise, quickSpec, recordingLog, resolve, seededRandom } from "./registry/pulling.ts";
import { registryHandler } from "./registry/registry.ts";
import { testSettings } from "./registry/settings.ts";
import { tar } from "./registry/tar.ts";

/**
 * Random faults, one pull after another: each pull gives the exact tree or fails with one of the
 * contract's statuses and leaves nothing, and no origin but its own ever sees a credential.
 * `SOAK_SECONDS` and `SOAK_SEED` set how long and which faults.
 */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? (Deno.env.get("CI") ? "60" : "10"));
const SEED = Number(Deno.env.get("SOAK_SEED") ?? "20260115");

const PASSWORD = "p4ssword-of-the-soak";
const SIGNATURE = "s1gnature-of-the-soak";
const LAYERS = 4;
/** On a machine too busy to do more in the time. */
const AT_LEAST = 12;
/** Long enough that a busy machine's own pauses are no faults. */
const STALL_MS = 300;
const FILE_SIZE = 60_000;

Deno.test(`soak: random faults for ${SECONDS} s, seed ${SEED}`, async () => {
  const random = seededRandom(SEED);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const dir = await Deno.makeTempDir({ prefix: "soak-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  const wanted = await makeImage(dir);

  const login = { user: "ann", password: PASSWORD };
  // By uses and not by time, so that a busy machine changes nothing.
  await using tokens = serveTokens({ uses: 3, login });
  const registry = registryHandler({ "org/app": dir });
  await using storage = serveFaulty(registry);
  await using mirror = serveFaulty(registry);
  await using origin = serveFaulty(tokens.guard(registry));

  // How bad it is changes from pull to pull: in some nothing goes wrong, in some nearly all.
  let badness = 0;
  let falsified = false;
  const faults = (): FaultAction | undefined => {
    if (random() > badness) return undefined;
    const at = Math.floor(random() * FILE_SIZE);
    const action = pick<FaultAction>([
      { kind: "status", status: pick([408, 429, 500, 502, 503, 504]) },
      { kind: "cut", after: at },
      { kind: "cut", after: at },
      { kind: "short", after: at },
      { kind: "hangup" },
      { kind: "stall", after: at },
      { kind: "no-range" },
      { kind: "content-range", value: `bytes ${at}-${at + 1}/${at + 2}` },
      { kind: "shifted-range", by: pick([-5, 7]) },
      { kind: "content-length", off: pick([-20, 20]) },
      ...(random() < 0.1
        ? [{ kind: "long", extra: 9 } as const, { kind: "corrupt", at } as const]
        : []),
    ]);
    falsified ||= !["status", "cut", "hangup", "stall"].includes(action.kind);
    return action;
  };
  const redirecting: FaultPlan = (request) =>
    request.path.includes("/blobs/") && random() < 0.5
      ? {
        kind: "redirect",
        location: `http://${storage.host}${request.path}?sig=${SIGNATURE}`,
        status: pick([302, 307]),
      }
      : faults();
  origin.plan = redirecting;
  mirror.plan = faults;
  storage.plan = faults;

  const { log, lines } = recordingLog();
  const outcomes = new Map<string, number>();
  const messages: string[] = [];
  const end = performance.now() + SECONDS * 1000;
  let pulls = 0;
  while (performance.now() < end || pulls < AT_LEAST) {
    pulls++;
    badness = pick([0, 0.2, 0.4, 0.7]);
    falsified = false;
    const mirrors = pulls % 3 === 0 ? { [origin.host]: [`http://${mirror.host}`] } : {};
    const changes = { registryLogin: login, mirrors, stallTimeoutMs: STALL_MS };
    const spec = await quickSpec(`${origin.host}/org/app:v1`, log, changes);
    const store = await openStore(spec, log);
    const root = await Deno.makeTempDir({ dir });
    try {
      const image = await resolve(store);
      const settings = testSettings({ root });
      const { signal } = new AbortController();
      await extract({ image, store, settings, owner: undefined, log, signal });
      assertEquals(await tree(root), wanted, `pull ${pulls}`);
      count(outcomes, "exact");
    } catch (error) {
      if (!(error instanceof RunnerError)) throw error;
      messages.push(error.message);
      const allowed = falsified ? [65, 69] : [69];
      assert(allowed.includes(error.exit), `pull ${pulls}: ${error.exit} ${error.message}`);
      assertEquals([...Deno.readDirSync(root)], [], `pull ${pulls} left something`);
      count(outcomes, `${error.exit}`);
    } finally {
      store.close();
      await Deno.remove(root, { recursive: true });
    }
  }

  const asked = origin.requests.length + mirror.requests.length + storage.requests.length;
  const summary = [...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(", ");
  console.log(`soak: ${pulls} pulls (${summary}), ${asked} requests, seed ${SEED}`);
  assert((outcomes.get("exact") ?? 0) > pulls / 3, "most pulls get over their faults");

  const secrets = [PASSWORD, btoa(`ann:${PASSWORD}`), ...tokens.secrets];
  for (const foreign of [storage, mirror]) {
    assert(foreign.requests.length > 0);
    for (const { path, headers } of foreign.requests) {
      assertEquals(headers.get("authorization"), null);
      const seen = path + JSON.stringify([...headers]);
      for (const secret of secrets) assert(!seen.includes(secret), "a secret at a foreign origin");
    }
  }
  const said = lines.join("") + messages.join("\n");
  for (const secret of [...secrets, SIGNATURE]) assert(!said.includes(secret), "a secret was said");
});

/** An image of several layers that overlay each other, and the tree it must give. */
async function makeImage(dir: string): Promise<Record<string, string>> {
  const wanted: Record<string, string> = {};
  const layers = [];
  for (let i = 0; i < LAYERS; i++) {
    const own = noise(FILE_SIZE, i);
    const shared = noise(100, 100 + i);
    layers.push({
      tar: tar([
        { path: "app" },
        { path: `app/own-${i}`, content: own },
        { path: "app/shared", content: shared },
      ]),
      compression: (["gzip", "zstd", "none"] as const)[i % 3]!,
    });
    wanted[`app/own-${i}`] = hash(own);
    wanted["app/shared"] = hash(shared);
  }
  await writeLayout(dir, { tag: "v1", layers });
  return wanted;
}

async function tree(root: string, prefix = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${prefix}`)) {
    const path = prefix + name;
    if (isDirectory) Object.assign(found, await tree(root, `${path}/`));
    else found[path] = hash(await Deno.readFile(`${root}/${path}`));
  }
  return found;
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
