import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { Exit } from "../../src/errors.ts";
import { useOpenat2 } from "../../src/os/directory.ts";
import { archive, ArchiveBuilder, paxRecord } from "../archive_builder.ts";
import { listTree } from "../tree.ts";
import { decoderTest } from "../codec.ts";
import { extractArchives, withRoot } from "./harness.ts";

/** What must hold of an archive that tries to get out, besides that it does not. */
type Expectation =
  /** Extracted: these files are there with this content (undefined: not there). */
  | Readonly<Record<string, string | undefined>>
  /** Refused with this status and a line that matches; the root is untouched. */
  | { readonly exit: 65 | 73; readonly says: RegExp };

interface Attack {
  readonly name: string;
  readonly layers: readonly ArchiveBuilder[];
  readonly holds: Expectation;
}

const deep = (depth: number) => Array.from({ length: depth }, () => "d").join("/");

/**
 * The root they are run against has, before: `/etc/passwd`, `/outside/secret`, `/app/keep`,
 * `/data/kept`, `/opt/out -> /outside`, `/srv -> outside`, `/home/in -> /opt`, `/var/data` a file.
 */
const ATTACKS: readonly Attack[] = [
  {
    name: "dot-dot in names",
    layers: [archive().file("../../outside/a", "bad").file("app/../../etc/passwd", "bad")],
    holds: { "outside/a": undefined, "etc/passwd": "original" },
  },
  {
    name: "absolute names",
    layers: [archive().file("/etc/passwd", "bad").file("//outside//b", "bad").file("/app/ok", "A")],
    holds: { "outside/b": undefined, "etc/passwd": "original", "app/ok": "A" },
  },
  {
    name: "a symbolic link in the image to an outside directory, then a file through it",
    layers: [archive().symlink("app/l", "/outside").file("app/l/a", "bad")],
    holds: { "outside/a": undefined },
  },
  {
    name: "the same over two layers",
    layers: [archive().symlink("app/l", "../outside"), archive().file("app/l/a", "bad")],
    holds: { "outside/a": undefined },
  },
  {
    name: "a link through a link, and one that climbs",
    layers: [
      archive().symlink("app/a", "b").symlink("app/b", "../../../../outside")
        .file("app/a/x", "bad").file("app/b/y", "bad"),
    ],
    holds: { "outside/x": undefined, "outside/y": undefined },
  },
  {
    name: "a directory swapped for a link between its entries",
    layers: [
      archive().dir("app/d").file("app/d/1", "A").symlink("app/d", "/outside")
        .file("app/d/2", "bad"),
    ],
    holds: { "outside/1": undefined, "outside/2": undefined },
  },
  {
    name: "a link loop",
    layers: [archive().symlink("app/a", "b").symlink("app/b", "a").file("app/a/x", "bad")],
    holds: { exit: Exit.data, says: /loop/ },
  },
  {
    name: "a link on disk from an allowed path to an outside one",
    layers: [archive().dir("opt/out").file("opt/out/a", "bad")],
    holds: { exit: Exit.cannotWrite, says: /"\/opt\/out".*symbolic link/ },
  },
  {
    name: "an allowed directory that is a link on disk to an outside one",
    layers: [archive().file("srv/a", "bad")],
    holds: { exit: Exit.cannotWrite, says: /"\/srv".*symbolic link/ },
  },
  {
    name: "a file over a link on disk replaces the link, not its target",
    layers: [archive().file("opt/out", "file")],
    holds: { "opt/out": "file", "outside/secret": "secret" },
  },
  {
    name: "a hard link to a file of the root",
    layers: [archive().link("app/p", "/etc/passwd")],
    holds: { exit: Exit.data, says: /"app\/p" is a hard link to "etc\/passwd"/ },
  },
  {
    name: "a hard link through a link of the image to a file of the root",
    layers: [archive().symlink("app/e", "/outside").link("app/p", "app/e/secret")],
    holds: { exit: Exit.data, says: /hard link/ },
  },
  {
    name: "a hard link to a file of the root by an allowed name",
    layers: [archive().link("app/p", "app/keep").file("app/p", "bad")],
    holds: { exit: Exit.data, says: /hard link/ },
  },
  {
    name: "a hard link to a link, then writing to it",
    layers: [
      archive().symlink("app/s", "/outside/secret").link("app/h", "app/s").file("app/h", "new"),
    ],
    holds: { "outside/secret": "secret", "app/h": "new" },
  },
  {
    name: "a hard link to a directory",
    layers: [archive().dir("app/d").link("app/h", "app/d")],
    holds: { exit: Exit.data, says: /hard link/ },
  },
  {
    name: "a hard link to itself",
    layers: [archive().file("app/a", "A").link("app/a", "app/a")],
    holds: { exit: Exit.data, says: /itself/ },
  },
  {
    name: "whiteouts of the root's own files",
    layers: [
      archive().whiteout("app/keep").whiteout("data/kept").whiteout("etc/passwd").whiteout("opt"),
    ],
    holds: { "app/keep": "keep", "data/kept": "kept", "etc/passwd": "original" },
  },
  {
    name: "opaque directories over the root's own files",
    layers: [archive().opaque("app").opaque("data").opaque("etc").file("data/new", "A")],
    holds: { "app/keep": "keep", "data/kept": "kept", "data/new": "A", "etc/passwd": "original" },
  },
  ...[".wh.", ".wh..", ".wh...", ".wh....wh."].map((name): Attack => ({
    name: `the whiteout "${name}"`,
    layers: [archive().file("app/a", "A"), archive().file(`app/${name}`)],
    holds: name === ".wh....wh." ? { "app/a": "A" } : { exit: Exit.data, says: /whiteout/ },
  })),
  {
    name: "a whiteout through a link",
    layers: [
      archive().symlink("app/l", "/outside"),
      archive().whiteout("app/l/secret").opaque("app/l"),
    ],
    holds: { "outside/secret": "secret" },
  },
  {
    name: "files of the volume",
    layers: [archive().file("data/kept", "bad").file("data/new", "A").file("data/dir/x", "B")],
    holds: { "data/kept": "kept", "data/new": "A", "data/dir/x": "B" },
  },
  {
    name: "a file where the volume has a directory is kept out of it",
    layers: [archive().file("data/sub", "bad")],
    holds: { "data/sub/x": "sub" },
  },
  {
    name: "a file where the root has a directory",
    layers: [archive().file("opt", "bad")],
    holds: { exit: Exit.cannotWrite, says: /"\/opt".*directory/ },
  },
  {
    name: "a directory where the root has a file",
    layers: [archive().file("var/data/x", "A")],
    holds: { "var/data/x": "A" },
  },
  {
    name: "the root turned into a file, a link, a device",
    layers: [archive().symlink("./", "/outside")],
    holds: { exit: Exit.data, says: /root/ },
  },
  {
    name: "an allowed path turned into a link to an outside one",
    layers: [archive().symlink("home", "/outside").file("home/a", "bad")],
    holds: { exit: Exit.cannotWrite, says: /"\/home".*directory/ },
  },
  {
    name: "ancestors turned into links",
    layers: [
      archive().symlink("var", "/outside").file("var/lib/a", "bad").symlink("usr", "outside")
        .file("usr/local/lib/node_modules/x", "bad"),
    ],
    holds: { "outside/lib/a": undefined, "outside/local": undefined },
  },
  {
    name: "names that differ in case, in form, by dots and slashes",
    layers: [
      archive().file("APP/x", "bad").file("app./x", "bad").file("app\u0301/x", "bad")
        .file("./app//y", "A").file("app/./z", "A"),
    ],
    holds: { "APP/x": undefined, "app./x": undefined, "app/y": "A", "app/z": "A" },
  },
  {
    name: "names that only begin like allowed ones",
    layers: [
      archive().file("application/x", "bad").file("database/x", "bad")
        .file("usr/lib/python3/dist-packages/x", "bad").file("var/libx/x", "bad")
        .file("usr/lib/xpython3/site-packages/x", "bad"),
    ],
    holds: { "application": undefined, "database": undefined, "var/libx": undefined },
  },
  {
    name: "the wildcard of an allowed path does not span directories",
    layers: [archive().file("usr/lib/python3/../../../etc/passwd", "bad")],
    holds: { "etc/passwd": "original" },
  },
  {
    name: "a NUL in a PAX path",
    layers: [archive().pax({ path: "app/a\0/../../etc/passwd" }).file("x", "bad")],
    holds: { exit: Exit.data, says: /NUL/ },
  },
  {
    name: "a PAX path that climbs",
    layers: [archive().pax({ path: "../../../etc/passwd" }).file("app/x", "bad")],
    holds: { "etc/passwd": "original", "app/x": undefined },
  },
  {
    name: "a PAX link target that climbs",
    layers: [archive().pax({ linkpath: "../../etc/passwd" }).link("app/x", "app/keep")],
    holds: { exit: Exit.data, says: /hard link/ },
  },
  {
    name: "a GNU long name that climbs",
    layers: [archive().gnuLongName("app/" + "../".repeat(60) + "etc/passwd").file("x", "bad")],
    holds: { "etc/passwd": "original" },
  },
  {
    name: "names of this program's own staging",
    layers: [
      archive().file(".fastmcp-runner-x/journal", "bad").file("app/.fastmcp-runner-1/a", "A"),
    ],
    holds: { ".fastmcp-runner-x": undefined, "app/.fastmcp-runner-1/a": "A" },
  },
  {
    name: "a component longer than a name may be",
    layers: [archive().gnuLongName("app/" + "n".repeat(300)).file("x", "bad")],
    holds: { exit: Exit.data, says: /too long/ },
  },
  {
    name: "a path longer than the limit",
    layers: [archive().gnuLongName("app/" + deep(3000)).file("x", "bad")],
    holds: { exit: Exit.data, says: /exceeds the limit of 4096/ },
  },
  {
    name: "directories as deep as a path may be",
    layers: [archive().gnuLongName("app/" + deep(2000)).file("x", "A"), archive().whiteout("app")],
    holds: { "app/d": undefined },
  },
  {
    name: "a size that is negative",
    layers: [archive().pax({ size: "-1" }).file("app/x", "A")],
    holds: { exit: Exit.data, says: /negative/ },
  },
  {
    name: "a size past the archive's end",
    layers: [archive().entry({ path: "app/x", size: 1_000_000 })],
    holds: { exit: Exit.data, says: /cut short/ },
  },
  {
    name: "a size past what numbers hold",
    layers: [archive().pax({ size: "9223372036854775807" }).file("app/x", "A")],
    holds: { exit: Exit.data, says: /too large/ },
  },
  {
    name: "a second archive behind the first",
    layers: [archive().file("app/a", "A").raw(new Uint8Array(1024)).file("app/b", "hidden")],
    holds: { exit: Exit.data, says: /after the end/ },
  },
  {
    name: "a single block of zeros in the middle",
    layers: [archive().file("app/a", "A").raw(new Uint8Array(512)).file("app/b", "hidden")],
    holds: { exit: Exit.data, says: /zeros/ },
  },
  {
    name: "a wrong checksum",
    layers: [archive().file("app/a", "A").file("app/b", "B", { checksum: false })],
    holds: { exit: Exit.data, says: /checksum.*app\/a/ },
  },
  {
    name: "an unknown type",
    layers: [archive().entry({ path: "app/a", flag: "Z" })],
    holds: { exit: Exit.data, says: /unknown type/ },
  },
  {
    name: "PAX records whose lengths lie",
    layers: [archive().rawPax("99 path=etc/passwd\n").file("app/a", "A")],
    holds: { exit: Exit.data, says: /PAX/ },
  },
  {
    name: "a PAX header past the limit",
    layers: [archive().rawPax(paxRecord("comment", "c".repeat(1 << 20))).file("app/a", "A")],
    holds: { exit: Exit.data, says: /exceeds 1048576/ },
  },
  {
    name: "an extension without its entry",
    layers: [archive().file("app/a", "A").pax({ path: "app/b" })],
    holds: { exit: Exit.data, says: /cut short/ },
  },
  {
    name: "global PAX records, which engines do not apply",
    layers: [archive().rawPax(paxRecord("path", "app/evil"), "g").file("app/a", "A")],
    holds: { "app/a": "A", "app/evil": undefined },
  },
  {
    name: "an owner that means 'unchanged' to the kernel",
    layers: [archive().file("app/a", "A", { uid: 0xffffffff })],
    holds: { exit: Exit.data, says: /owner/ },
  },
  {
    name: "a link without a target",
    layers: [archive().symlink("app/a", "")],
    holds: { exit: Exit.data, says: /no target/ },
  },
  {
    name: "a sparse map that runs backwards",
    layers: [
      archive().pax([
        ["GNU.sparse.major", "0"],
        ["GNU.sparse.minor", "1"],
        ["GNU.sparse.size", "100"],
        ["GNU.sparse.numblocks", "2"],
        ["GNU.sparse.map", "50,1,0,1"],
      ]).file("app/a", "AB"),
    ],
    holds: { exit: Exit.data, says: /sparse map/ },
  },
  {
    name: "a sparse map of another size than what is stored",
    layers: [
      archive().pax([
        ["GNU.sparse.major", "0"],
        ["GNU.sparse.minor", "1"],
        ["GNU.sparse.size", "100"],
        ["GNU.sparse.numblocks", "1"],
        ["GNU.sparse.map", "0,10"],
      ]).file("app/a", "AB"),
    ],
    holds: { exit: Exit.data, says: /sparse map/ },
  },
  {
    name: "a sparse format nobody knows",
    layers: [
      archive().pax({ "GNU.sparse.major": "9", "GNU.sparse.minor": "9" }).file("app/a", "AB"),
    ],
    holds: { exit: Exit.data, says: /9\.9 is unknown/ },
  },
  {
    name: "a file that claims a hole larger than the limit",
    layers: [
      archive().pax([
        ["GNU.sparse.major", "0"],
        ["GNU.sparse.minor", "1"],
        ["GNU.sparse.size", String(2 ** 50)],
        ["GNU.sparse.numblocks", "1"],
        ["GNU.sparse.map", "0,2"],
      ]).file("app/a", "AB"),
    ],
    holds: { exit: Exit.data, says: /RUNNER_MAX_SIZE/ },
  },
];

for (const kernel of ["openat2", "without openat2"]) {
  decoderTest(`hostile archives, ${kernel}`, async (t, decoder) => {
    useOpenat2(kernel === "openat2" ? undefined : false);
    for (const attack of ATTACKS) {
      await t.step(attack.name, () => withRoot((root) => attempt(attack, root)));
    }
    useOpenat2(undefined);
    console.log(`${ATTACKS.length} attacks tried, ${kernel}, decoded by the ${decoder}`);
  });
}

async function attempt({ layers, holds }: Attack, dir: string): Promise<void> {
  const root = `${dir}/root`;
  await prepare(root);
  await Deno.writeTextFile(`${dir}/beside`, "beside");
  const before = listTree(dir);
  const outside = listTree(`${root}/outside`) + listTree(`${root}/etc`);
  const { error } = await extractArchives({ layers: layers.map((l) => l.build()), root });
  assertEquals(listTree(`${root}/outside`) + listTree(`${root}/etc`), outside, "outside");
  assertEquals(await Deno.readTextFile(`${dir}/beside`), "beside");
  if (isRefusal(holds)) {
    if (error === undefined) throw new Error("it was taken");
    assertEquals(error.exit, holds.exit, error.message);
    assert(holds.says.test(error.message), error.message);
    assert(!error.message.includes("\n"), "one line");
    assertEquals(withoutTimes(listTree(dir)), withoutTimes(before), "the root was touched");
    return;
  }
  assertEquals(error?.message, undefined);
  for (const [path, content] of Object.entries(holds)) {
    const found = await Deno.readTextFile(`${root}/${path}`).catch(() => undefined);
    assertEquals(found, content, path);
    if (content === undefined) assertEquals(await exists(`${root}/${path}`), false, path);
  }
  const staging = /^\.fastmcp-runner-[0-9a-f]{8}$/;
  assertEquals([...Deno.readDirSync(root)].filter(({ name }) => staging.test(name)), []);
}

function isRefusal(holds: Expectation): holds is { exit: 65 | 73; says: RegExp } {
  return holds.says instanceof RegExp;
}

/** Staging comes and goes in the root itself, which changes its time and nothing else. */
function withoutTimes(listing: string): string {
  return listing.split("\n").map((line) => line.replace(/^(d \S+ \S+) \S+/, "$1")).join("\n");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

async function prepare(root: string): Promise<void> {
  for (const dir of ["etc", "outside", "app", "data/sub", "opt", "home", "var"]) {
    await Deno.mkdir(`${root}/${dir}`, { recursive: true });
  }
  await Deno.writeTextFile(`${root}/etc/passwd`, "original");
  await Deno.writeTextFile(`${root}/outside/secret`, "secret");
  await Deno.writeTextFile(`${root}/app/keep`, "keep");
  await Deno.writeTextFile(`${root}/data/kept`, "kept");
  await Deno.writeTextFile(`${root}/data/sub/x`, "sub");
  await Deno.writeTextFile(`${root}/var/data`, "a file");
  await Deno.symlink("/outside", `${root}/opt/out`);
  await Deno.symlink("outside", `${root}/srv`);
  await Deno.symlink("/opt", `${root}/home/in`);
}
