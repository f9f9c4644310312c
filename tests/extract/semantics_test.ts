import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { Exit } from "../../src/errors.ts";
import { archive, ArchiveBuilder } from "../archive_builder.ts";
import { decoderTest } from "../codec.ts";
import { extractArchives, withRoot } from "./harness.ts";
import { shape } from "./shape.ts";

interface Case {
  readonly name: string;
  readonly layers: readonly ArchiveBuilder[];
  /** What is in the root afterwards: path -> `shape`. */
  readonly holds: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  {
    name: "only allowed paths are written",
    layers: [
      archive().dir("etc").file("etc/passwd", "x").dir("app").file("app/a", "A")
        .file("usr/lib/python3.12/site-packages/m.py", "M").file("usr/lib/python3.12/os.py", "no")
        .file("usr/local/lib/node_modules/n/i.js", "N").file("var/lib/dpkg/status", "no")
        .file("var/lib/mine/x", "X").file("var/log/x", "no").file("usr/bin/x", "no"),
    ],
    holds: {
      "app": "dir 755",
      "app/a": "file 644 A",
      "usr/lib/python3.12/site-packages/m.py": "file 644 M",
      "usr/local/lib/node_modules/n/i.js": "file 644 N",
      "var/lib/mine/x": "file 644 X",
    },
  },
  {
    name: "a whiteout hides what lower layers brought",
    layers: [archive().file("app/a", "A").file("app/b", "B"), archive().whiteout("app/a")],
    holds: { "app/b": "file 644 B" },
  },
  {
    name: "a whiteout spares its own layer, before and after the entry",
    layers: [
      archive().file("app/a", "1").file("app/b", "1"),
      archive().whiteout("app/a").file("app/a", "2").file("app/b", "2").whiteout("app/b"),
    ],
    holds: { "app/a": "file 644 2", "app/b": "file 644 2" },
  },
  {
    name: "an opaque directory hides lower siblings, whatever the order",
    layers: [
      archive().file("app/d/old", "1").file("app/e/old", "1"),
      archive().dir("app/d").opaque("app/d").file("app/d/new", "2")
        .dir("app/e").file("app/e/new", "2").opaque("app/e"),
    ],
    holds: { "app/d/new": "file 644 2", "app/e/new": "file 644 2" },
  },
  {
    name: "files and directories replace each other",
    layers: [
      archive().file("app/x", "1").file("app/y/in", "1"),
      archive().file("app/x/in", "2").file("app/y", "2"),
      archive().file("app/x", "3"),
    ],
    holds: { "app/x": "file 644 3", "app/y": "file 644 2" },
  },
  {
    name: "the last of duplicate entries counts",
    layers: [
      archive().file("app/a", "1").file("app/a", "2").symlink("app/l", "x").file("app/l", "3"),
    ],
    holds: { "app/a": "file 644 2", "app/l": "file 644 3" },
  },
  {
    name: "a hard link reaches into a lower layer and shares the file",
    layers: [archive().file("app/a", "A"), archive().link("app/b", "app/a").file("app/a", "new")],
    holds: { "app/a": "file 644 new", "app/b": "file 644 A" },
  },
  {
    name: "hard links within a layer are one file",
    layers: [archive().file("app/a", "A").link("app/b", "./app/a").link("app/c", "/app/b")],
    holds: { "app/a": "file 644 A 3", "app/b": "file 644 A 3", "app/c": "file 644 A 3" },
  },
  {
    name: "a hard link to what the allowlist leaves out has the image's own content",
    layers: [
      archive().file("root/.cache/m", "cached", { mode: 0o600 }),
      archive().link("app/m", "root/.cache/m").link("app/n", "root/.cache/m"),
    ],
    holds: { "app/m": "file 600 cached 2", "app/n": "file 600 cached 2" },
  },
  {
    name: "a chain of left-out hard links is followed, and the last file of the name counts",
    layers: [
      archive().file("root/1", "old").file("root/1", "one").link("root/2", "root/1"),
      archive().link("app/m", "root/2"),
    ],
    holds: { "app/m": "file 644 one" },
  },
  {
    name: "a link that leads to an allowed path is followed on the way to a write",
    layers: [
      archive().dir("opt/v2").symlink("app/current", "/opt/v2").symlink("app/up", "../opt/v2"),
      archive().file("app/current/a", "A").file("app/up/b", "B"),
    ],
    holds: {
      "app/current": "link /opt/v2",
      "app/up": "link ../opt/v2",
      "opt/v2/a": "file 644 A",
      "opt/v2/b": "file 644 B",
    },
  },
  {
    name: "a link outside the allowed paths can lead inside",
    layers: [
      archive().symlink("lib", "usr/lib").symlink("srv2", "/srv"),
      archive().file("lib/python3/site-packages/a", "A").file("srv2/b", "B"),
    ],
    holds: { "usr/lib/python3/site-packages/a": "file 644 A", "srv/b": "file 644 B" },
  },
  {
    name: "a link out of the allowed paths takes what is written through it along",
    layers: [archive().symlink("app/etc", "/etc").file("app/etc/cron.d/x", "bad")],
    holds: { "app/etc": "link /etc" },
  },
  {
    name: "a directory entry takes a link's place",
    layers: [
      archive().dir("opt/t").symlink("app/d", "/opt/t"),
      archive().dir("app/d").file("app/d/a", "A"),
    ],
    holds: { "app/d": "dir 755", "app/d/a": "file 644 A", "opt/t": "dir 755" },
  },
  {
    name: "setuid and setgid are dropped, sticky is kept",
    layers: [archive().file("app/s", "", { mode: 0o6755 }).dir("app/t", { mode: 0o3777 })],
    holds: { "app/s": "file 755", "app/t": "dir 1777" },
  },
  {
    name: "devices and FIFOs are left out, and hard links to them",
    layers: [
      archive().entry({ path: "app/fifo", flag: "6" }).entry({ path: "app/null", flag: "3" })
        .link("app/also", "app/null").file("app/a", "A"),
    ],
    holds: { "app/a": "file 644 A" },
  },
  {
    name: "whiteouts of an ancestor hide everything below",
    layers: [
      archive().file("usr/local/lib/node_modules/a", "A").file("opt/a", "A"),
      archive().whiteout("usr/local").whiteout("opt").file("opt/b", "B"),
    ],
    holds: { "opt/b": "file 644 B" },
  },
  {
    name: "names of any bytes are kept",
    layers: [
      archive().file(new Uint8Array([...new TextEncoder().encode("app/"), 0xff, 0x80, 0x9f]), "A")
        .file("app/sp ace\n", "B").file("app/é", "C"),
    ],
    holds: { "app/sp ace\n": "file 644 B", "app/é": "file 644 C" },
  },
];

for (const { name, layers, holds } of CASES) {
  decoderTest(`layers: ${name}`, () =>
    withRoot(async (root) => {
      const outcome = await extractArchives({ layers: layers.map((l) => l.build()), root });
      assertEquals(outcome.error?.message, undefined);
      const found = await shape(root, Object.keys(holds));
      assertEquals(found, holds);
      const staged = [...Deno.readDirSync(root)].filter(({ name }) => name.startsWith("."));
      assertEquals(staged, []);
    }));
}

decoderTest(
  "times are the archive's, to the nanosecond, for files, links and directories",
  () =>
    withRoot(async (root) => {
      const layer = archive().dir("app", { mtime: 1_000_000_000 })
        .pax({ mtime: "1234567890.123456789" }).file("app/a", "A")
        .pax({ mtime: "-1.5" }).file("app/old", "A")
        .symlink("app/l", "a", { mtime: 77 });
      const outcome = await extractArchives({ layers: [layer.build()], root });
      assertEquals(outcome.error?.message, undefined);
      const mtime = async (path: string) => {
        const args = ["-c", "%.9Y", `${root}/${path}`];
        const { stdout } = await new Deno.Command("stat", { args }).output();
        return new TextDecoder().decode(stdout).trim();
      };
      assertEquals(await mtime("app/a"), "1234567890.123456789");
      assertEquals(await mtime("app/old"), "-1.500000000");
      assertEquals(await mtime("app/l"), "77.000000000");
      assertEquals(await mtime("app"), "1000000000.000000000");
    }),
);

Deno.test("a hard link to nothing is refused with both names", () =>
  withRoot(async (root) => {
    const { error } = await extractArchives({
      layers: [archive().file("app/a", "A").link("app/b", "app/none").build()],
      root,
    });
    assertEquals(error?.exit, Exit.data);
    assertMatch(error!.message, /"app\/b" is a hard link to "app\/none"/);
    assertEquals([...Deno.readDirSync(root)], []);
  }));
