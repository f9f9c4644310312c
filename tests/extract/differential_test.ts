import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { writeLayout } from "../registry/layout.ts";
import { withCodec } from "../codec.ts";
import { peerTest } from "../peers.ts";
import { extractLayout, withRoot } from "./harness.ts";
import { listing, withoutDirectoryTime } from "./listing.ts";
import { LAST_TIME, randomImage } from "./random_image.ts";

/** How many images must have been unpacked by both sides and compared. */
const COMPARED = 300;
const MAX_SEEDS = 600;
const FIRST_SEED = Number(Deno.env.get("DIFFERENTIAL_SEED") ?? 1);

/** Files outside the server's directories, and those that belong to its user all the same. */
let lines = 0;
let givenAway = 0;

const ALLOWED = [
  "app",
  "data",
  "home",
  "opt",
  "srv",
  "var/lib",
  "usr/lib/python3.12/site-packages",
  "usr/local/lib/node_modules",
];

/**
 * What umoci 0.4 refuses and later versions (like this program) do: a file gives way to a
 * directory that an entry's path needs.
 */
const UMOCI_LIMITS = /not a directory/;

/** Every other image is decoded by the native codec. */
const peers = ["umoci", "cc"];

peerTest(`${COMPARED} random images become what umoci makes of them`, peers, async () => {
  const isRoot = Deno.uid() === 0;
  let compared = 0;
  let refused = 0;
  let limits = 0;
  let moved = 0;
  for (let seed = FIRST_SEED; compared < COMPARED; seed++) {
    if (seed - FIRST_SEED >= MAX_SEEDS) throw new Error(`only ${compared} images were comparable`);
    await withRoot(async (dir) => {
      const layers = randomImage(seed).map((tar) => ({ tar, level: 1 }));
      await writeLayout(`${dir}/layout`, { tag: "t", layers, config: { Cmd: ["x"] } });
      await Deno.mkdir(`${dir}/root`);
      const [umoci, ours] = await Promise.all([
        unpack(`${dir}/layout:t`, `${dir}/bundle`, isRoot),
        (seed % 2 === 0 ? withCodec : withoutCodec)(() =>
          extractLayout(`${dir}/layout`, {
            root: `${dir}/root`,
            owner: isRoot ? SERVER : undefined,
          })
        ),
      ]);
      if (umoci !== undefined) {
        if (ours.error !== undefined) refused++;
        else if (UMOCI_LIMITS.test(umoci)) limits++;
        // A link the allowlist leaves out can be broken without harm to what is extracted.
        else if (/link/.test(umoci) && /no such file|not permitted/.test(umoci)) limits++;
        else throw new Error(`seed ${seed}: umoci refuses what we take: ${umoci}`);
        return;
      }
      assertEquals(ours.error?.message, undefined, `seed ${seed}`);
      moved += ours.log.match(/ merged=whole/g)?.length ?? 0;
      await compareTrees(seed, `${dir}/bundle/rootfs`, `${dir}/root`, isRoot);
      compared++;
    });
  }
  assert(givenAway < lines / 20, `${givenAway} of ${lines} files outside are the server's`);
  assert(moved >= COMPARED / 4, `only ${moved} layers were moved in whole`);
  console.log(
    `compared ${compared} images; ${refused} refused by both, ${limits} beyond umoci's limits; ` +
      `${moved} layers moved in whole`,
  );
});

const withoutCodec = <T>(run: () => Promise<T>): Promise<T> => run();

/** As the runner is told in these tests; no archive of the generator has it. */
const SERVER = { uid: 4242, gid: 4242 };
const SERVERS = `${SERVER.uid}:${SERVER.gid}`;

async function compareTrees(seed: number, theirs: string, ours: string, owners: boolean) {
  const options = { owners, timesBefore: LAST_TIME + 1 };
  const expected = await listing(theirs, ALLOWED, options);
  const found = await listing(ours, ALLOWED, options);
  const timeless = new Set(
    expected.filter((line) => line.split("\t")[1] === "d" && line.split("\t")[4] === "")
      .map((line) => line.split("\t")[0]),
  );
  // Ours belong to the server's user in /app and /data, by contract; a file that was once there
  // and lives on under another name still does.
  const servers = new Set(
    found.filter((line) => line.split("\t")[3] === SERVERS).map((line) => line.split("\t")[0]),
  );
  const isServers = (path: string) => /^(app|data)(\/|$)/.test(path);
  lines += found.filter((line) => !isServers(line)).length;
  givenAway += [...servers].filter((path) => !isServers(path!)).length;
  const comparable = (line: string) => {
    const path = line.split("\t")[0]!;
    const fields = (timeless.has(path) ? withoutDirectoryTime(line) : line).split("\t");
    if (servers.has(path)) fields[3] = "";
    return fields.join("\t");
  };
  assertEquals(found.map(comparable), expected.map(comparable), `seed ${seed}`);
}

/** @returns what umoci complained of; undefined when it unpacked the image */
async function unpack(image: string, bundle: string, isRoot: boolean): Promise<string | undefined> {
  const args = ["unpack", ...(isRoot ? [] : ["--rootless"]), "--image", image, bundle];
  const { success, stderr } = await new Deno.Command("umoci", { args, stderr: "piped" }).output();
  return success ? undefined : new TextDecoder().decode(stderr);
}
