import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { Exit } from "../../src/errors.ts";
import { archive } from "../archive_builder.ts";
import { rootTest } from "../peers.ts";
import { blobPath, writeLayout } from "../registry/layout.ts";
import { runnerCommand, runnerEnv } from "../runner.ts";
import { listTree } from "../tree.ts";
import { decoderTest } from "../codec.ts";
import { extractArchives, extractLayout, withRoot } from "./harness.ts";
import { Random } from "./random.ts";

/** A root with something of its own everywhere that the image below writes to. */
async function prepare(root: string): Promise<void> {
  await Deno.mkdir(`${root}/app/lib`, { recursive: true });
  await Deno.mkdir(`${root}/data`);
  await Deno.mkdir(`${root}/etc`);
  for (const name of ["app/replaced", "app/lib/0", "data/kept", "etc/passwd"]) {
    await Deno.writeTextFile(`${root}/${name}`, "before");
    await Deno.utime(`${root}/${name}`, 1, 1);
  }
}

function image(files = 200) {
  const random = new Random(1);
  const base = archive().dir("app").dir("app/lib");
  for (let i = 0; i < files; i++) base.file(`app/lib/${i}`, random.bytes(random.int(3000)));
  const upper = archive().file("app/replaced", "after").file("opt/new", "after")
    .file("data/seed", "after").whiteout("app/lib/1").link("app/linked", "app/lib/2");
  return [base.build(), upper.build()];
}

const config = { Cmd: ["x"] };

/** What a root holds but for the times of directories that staging came and went in. */
function content(root: string): string {
  return listTree(root).split("\n").map((line) => line.replace(/^(d \S+ \S+) \S+/, "$1"))
    .join("\n");
}

decoderTest("a blob that is wrong anywhere leaves the root as it was", async (t) => {
  const flip = (blob: Uint8Array, at: number) => blob.with(at, blob.at(at)! ^ 1);
  // Whatever becomes of the damage on the way to the tar, what is told is the blob's.
  const faults: readonly (readonly [string, (blob: Uint8Array) => Uint8Array, RegExp])[] = [
    ["its last byte", (b) => flip(b, b.length - 1), /the digest is sha256/],
    ["its first byte", (b) => flip(b, 0), /the digest is sha256/],
    ["a byte near the beginning", (b) => flip(b, 1000), /the digest is sha256/],
    ["a byte in the middle", (b) => flip(b, b.length >> 1), /the digest is sha256/],
    ["its second half", (b) => b.slice().fill(0, b.length >> 1), /the digest is sha256/],
    ["cut in the middle", (b) => b.subarray(0, b.length >> 1), /has \d+ bytes, not the/],
    ["cut by a byte", (b) => b.subarray(0, -1), /has \d+ bytes, not the/],
    ["empty", () => new Uint8Array(), /has 0 bytes, not the/],
    ["a byte too long", (b) => Uint8Array.from([...b, 0]), /has \d+ bytes, not the/],
  ];
  // The larger one is more than is decoded ahead.
  for (const [size, files] of [["small", 20], ["large", 4000]] as const) {
    const layers = image(files).map((tar) => ({ tar, level: 1 }));
    for (const [name, damage, says] of faults) {
      await t.step(`${size}: ${name}`, () =>
        withRoot(async (dir) => {
          const root = `${dir}/root`;
          await prepare(root);
          const written = await writeLayout(`${dir}/l`, { tag: "t", layers, config });
          const blob = blobPath(`${dir}/l`, written.layers[0]!.digest);
          await Deno.writeFile(blob, damage(await Deno.readFile(blob)));
          const before = content(root);
          const { error } = await extractLayout(`${dir}/l`, { root });
          assertEquals(error?.exit, Exit.data, error?.message);
          assert(says.test(error!.message), error!.message);
          assertEquals(content(root), before);
        }));
    }
  }
});

decoderTest("an archive cut at every block is refused or whole, and never half", async () => {
  const whole = archive().file("app/a", "A".repeat(600)).pax({ path: "app/b" }).file("x", "B")
    .gnuLongName("app/c").symlink("x", "a").build();
  let refused = 0;
  for (let end = 0; end <= whole.length; end += 256) {
    await withRoot(async (root) => {
      const { error } = await extractArchives({ layers: [whole.subarray(0, end)], root });
      if (error === undefined) return;
      refused++;
      assertEquals(error.exit, Exit.data, error.message);
      assertEquals([...Deno.readDirSync(root)], []);
    });
  }
  assert(refused >= 10, `${refused} of the cuts were refused`);
});

decoderTest(
  "no space, at any size of disk, leaves nothing behind",
  async (t) => {
    for (const kib of [16, 64, 200, 400]) {
      await t.step(`${kib} KiB`, () =>
        withRoot(async (dir) => {
          await using _ = await tmpfs(`${dir}/root`, `size=${kib}k`);
          await prepare(`${dir}/root`);
          const before = content(`${dir}/root`);
          const { error } = await extractArchives({ layers: image(400), root: `${dir}/root` });
          assertEquals(error?.exit, Exit.cannotWrite, error?.message);
          assert(/no space/.test(error!.message), error!.message);
          assertEquals(content(`${dir}/root`), before);
        }));
    }
  },
  { root: true, peers: ["mount"] },
);

rootTest(
  "no inodes left is told and leaves nothing behind",
  ["mount"],
  () =>
    withRoot(async (dir) => {
      await using _ = await tmpfs(`${dir}/root`, "nr_inodes=120");
      await prepare(`${dir}/root`);
      const before = content(`${dir}/root`);
      const { error } = await extractArchives({ layers: image(400), root: `${dir}/root` });
      assertEquals(error?.exit, Exit.cannotWrite, error?.message);
      assertEquals(content(`${dir}/root`), before);
    }),
);

rootTest(
  "a read-only root is told before anything is read",
  ["mount"],
  () =>
    withRoot(async (dir) => {
      await using mounted = await tmpfs(`${dir}/root`, "size=1m");
      await prepare(`${dir}/root`);
      await mounted.remount("ro");
      const { error } = await extractArchives({ layers: image(5), root: `${dir}/root` });
      assertEquals(error?.exit, Exit.cannotWrite);
      assert(/read-only/.test(error!.message), error!.message);
    }),
);

rootTest(
  "a volume on another mount gets what it lacks and keeps what it has",
  ["mount"],
  () =>
    withRoot(async (dir) => {
      const root = `${dir}/root`;
      await Deno.mkdir(`${root}/data`, { recursive: true });
      await using _ = await tmpfs(`${root}/data`, "size=1m");
      await Deno.writeTextFile(`${root}/data/kept`, "before");
      const layer = archive().dir("data").dir("data/d", { mode: 0o750, mtime: 5 })
        .file("data/d/x", "X", { mtime: 7 }).symlink("data/d/l", "x").file("data/kept", "after")
        .file("data/new", "N");
      const { error } = await extractArchives({ layers: [layer.build()], root });
      assertEquals(error?.message, undefined);
      assertEquals(await Deno.readTextFile(`${root}/data/kept`), "before");
      assertEquals(await Deno.readTextFile(`${root}/data/new`), "N");
      assertEquals(await Deno.readTextFile(`${root}/data/d/l`), "X");
      assertEquals((await Deno.stat(`${root}/data/d/x`)).mtime?.getTime(), 7000);
      assertEquals((await Deno.stat(`${root}/data/d`)).mtime?.getTime(), 5000);
      assertEquals((await Deno.stat(`${root}/data/d`)).mode! & 0o7777, 0o750);
      const names = [...Deno.readDirSync(`${root}/data`)].map(({ name }) => name).sort();
      assertEquals(names, ["d", "kept", "new"]);
    }),
);

rootTest("a commit that fails half-way is taken back", ["mount"], () =>
  withRoot(async (dir) => {
    const root = `${dir}/root`;
    await prepare(root);
    // The last thing in the image's order lands on a mount that takes no more.
    await Deno.mkdir(`${root}/srv/full`, { recursive: true });
    await using mounted = await tmpfs(`${root}/srv/full`, "size=64k");
    await mounted.remount("ro");
    const before = content(root);
    const [base, upper] = image(20);
    const last = archive().file("srv/full/x", "x".repeat(100)).build();
    const { error } = await extractArchives({ layers: [base!, upper!, last], root });
    assertEquals(error?.exit, Exit.cannotWrite, error?.message);
    assertEquals(content(root), before);
  }));

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`${signal} at random moments: whole, or as before after the next run`, async () => {
    const random = new Random(signal.length);
    let cut = 0;
    await withRoot(async (dir) => {
      const layers = image(3000).map((tar) => ({ tar, level: 1 }));
      await writeLayout(`${dir}/l`, { tag: "t", layers, config: { Cmd: ["/app/x"] } });
      const pull = (root: string) => {
        const [program, ...args] = runnerCommand();
        return new Deno.Command(program, {
          args: [...args, "pull", `oci:${dir}/l:t`, "--root", root],
          env: runnerEnv(),
          clearEnv: true,
          stdout: "null",
          stderr: "null",
        }).spawn();
      };
      await prepare(`${dir}/whole`);
      assertEquals((await pull(`${dir}/whole`).status).code, Exit.ok);
      const whole = content(`${dir}/whole`);
      for (let i = 0; i < 12; i++) {
        const root = `${dir}/root-${i}`;
        await prepare(root);
        const before = content(root);
        const child = pull(root);
        await new Promise((resolve) => setTimeout(resolve, 50 + random.int(900)));
        try {
          child.kill(signal);
        } catch {
          // It has ended already.
        }
        const { code } = await child.status;
        if (code === Exit.ok) {
          assertEquals(content(root), whole);
          continue;
        }
        cut++;
        if (signal === "SIGTERM") {
          assertEquals(code, Exit.terminated);
          assertEquals(content(root), before);
          continue;
        }
        // The next run, of an image that is refused, removes and takes back what this one left.
        const refused = archive().entry({ path: "app/x", flag: "Z" }).build();
        const { error } = await extractArchives({ layers: [refused], root });
        assertEquals(error?.exit, Exit.data);
        const after = content(root);
        // It may have been killed when all was in place.
        if (after !== whole) assertEquals(after, before);
      }
    });
    console.log(`${signal}: ${cut} of 12 runs were cut`);
  });
}

async function tmpfs(path: string, options: string) {
  await Deno.mkdir(path, { recursive: true });
  const run = async (program: string, args: string[]) => {
    const { success, stderr } = await new Deno.Command(program, { args }).output();
    if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  };
  await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  return {
    remount: (how: string) => run("mount", ["-o", `remount,${how}`, path]),
    [Symbol.asyncDispose]: () => run("umount", ["-l", path]),
  };
}
