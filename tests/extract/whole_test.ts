import { assertEquals } from "@std/assert/equals.js";
import { archive, type ArchiveBuilder } from "../archive_builder.ts";
import { extractArchives, withRoot } from "./harness.ts";
import { shape } from "./shape.ts";

/** When a layer's tree may be moved in whole, and what must make it be merged entry by entry. */
interface Case {
  readonly name: string;
  readonly layers: readonly ArchiveBuilder[];
  /** How each layer was merged: `w`hole or `e`ntry by entry. */
  readonly merged: string;
  readonly holds: Readonly<Record<string, string>>;
}

const deep = "app/" + "d/".repeat(100);

/** A file in each of as many directories, none of which has an entry; `opt` has one. */
function many(count: number): ArchiveBuilder {
  const layer = archive().dir("opt");
  for (let i = 0; i < count; i++) layer.file(`opt/${i}/f`);
  return layer;
}

const CASES: readonly Case[] = [
  {
    name: "directories of several layers are shared, files replaced",
    layers: [
      archive().dir("app").file("app/a", "1").dir("app/d").file("app/d/x", "1"),
      archive().dir("app", { mode: 0o750 }).file("app/a", "2").dir("app/d").file("app/d/y", "2"),
    ],
    merged: "ww",
    holds: {
      "app": "dir 750",
      "app/a": "file 644 2",
      "app/d/x": "file 644 1",
      "app/d/y": "file 644 2",
    },
  },
  {
    name: "what no entry describes keeps what a lower layer said of it",
    layers: [archive().dir("app", { mode: 0o700 }), archive().file("app/d/x", "2")],
    merged: "ww",
    holds: { "app": "dir 700", "app/d": "dir 755", "app/d/x": "file 644 2" },
  },
  {
    name: "links within the layer are links",
    layers: [archive().file("app/a", "1").link("app/b", "app/a").symlink("app/c", "a")],
    merged: "w",
    holds: { "app/a": "file 644 1 2", "app/b": "file 644 1 2", "app/c": "link a" },
  },
  {
    name: "empty directories, and left-out links that lead nowhere allowed",
    layers: [archive().dir("app/e").symlink("bin", "usr/bin").symlink("etc/rc", "/app")],
    merged: "w",
    holds: { "app/e": "dir 755" },
  },
  {
    name: "a file replaces a lower layer's link, the link's target stays",
    layers: [
      archive().file("app/a", "1").symlink("app/l", "a"),
      archive().file("app/l", "2"),
    ],
    merged: "ww",
    holds: { "app/a": "file 644 1", "app/l": "file 644 2" },
  },
  {
    name: "the last of duplicates",
    layers: [archive().file("app/a", "1").file("app/b").file("app/a", "2").file("app/c", "3")],
    merged: "e",
    holds: { "app/a": "file 644 2", "app/b": "file 644", "app/c": "file 644 3" },
  },
  {
    name: "a link on the way, in the layer itself",
    layers: [archive().dir("app/d").symlink("app/l", "d").file("app/l/x", "1")],
    merged: "e",
    holds: { "app/l": "link d", "app/d/x": "file 644 1" },
  },
  {
    name: "a link on the way, in a lower layer",
    layers: [archive().symlink("app/l", "../opt/r"), archive().file("app/l/x", "2")],
    merged: "we",
    holds: { "app/l": "link ../opt/r", "opt/r/x": "file 644 2" },
  },
  {
    name: "a left-out link on the way to allowed paths",
    layers: [
      archive().symlink("usr/local/lib", "/opt/lib"),
      archive().file("usr/local/lib/node_modules/m.js", "2"),
    ],
    merged: "ee",
    holds: { "opt/lib/node_modules/m.js": "file 644 2" },
  },
  {
    name: "a left-out file on the way to allowed paths",
    layers: [archive().file("var/data/x", "1"), archive().file("var", "2")],
    merged: "we",
    holds: {},
  },
  {
    name: "a directory in place of a file, and a file in place of a directory",
    layers: [
      archive().file("app/a", "1").file("app/b/x", "1"),
      archive().file("app/a/x", "2"),
      archive().file("app/b", "3"),
    ],
    merged: "wee",
    holds: { "app/a/x": "file 644 2", "app/b": "file 644 3" },
  },
  {
    name: "a directory entry in place of a link",
    layers: [archive().file("app/d/x", "1").symlink("app/l", "d"), archive().dir("app/l")],
    merged: "we",
    holds: { "app/d/x": "file 644 1", "app/l": "dir 755" },
  },
  {
    name: "hard links into a lower layer and to what is left out",
    layers: [
      archive().file("app/a", "1").file("root/r", "1"),
      archive().link("app/b", "app/a"),
      archive().link("app/c", "root/r"),
      archive().file("app/d", "4"),
    ],
    merged: "weew",
    holds: {
      "app/a": "file 644 1 2",
      "app/b": "file 644 1 2",
      "app/c": "file 644 1",
      "app/d": "file 644 4",
    },
  },
  {
    name: "whiteouts",
    layers: [archive().file("app/a", "1"), archive().whiteout("app/a").file("app/b", "2")],
    merged: "we",
    holds: { "app/b": "file 644 2" },
  },
  {
    name: "shared directories deeper than descriptors should go",
    layers: [
      archive().pax({ path: `${deep}a` }).file("a", "1"),
      archive().pax({ path: `${deep}b` }).file("b", "2"),
    ],
    merged: "we",
    holds: { [`${deep}a`]: "file 644 1", [`${deep}b`]: "file 644 2" },
  },
  {
    name: "more directories without an entry than are told",
    layers: [many(1025), many(1024)],
    merged: "ew",
    holds: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`opt/${i}/f`, "file 644"])),
  },
  {
    name: "an outside name that a link leads inside",
    layers: [
      archive().symlink("etc/app", "/app"),
      archive().file("app/x", "2").symlink("etc/app/l", "x").file("app/y", "2"),
    ],
    merged: "we",
    holds: { "app/x": "file 644 2", "app/l": "link x", "app/y": "file 644 2" },
  },
];

for (const { name, layers, merged, holds } of CASES) {
  Deno.test(`moved in whole or not: ${name}`, () =>
    withRoot(async (root) => {
      const outcome = await extractArchives({ layers: layers.map((l) => l.build()), root });
      assertEquals(outcome.error?.message, undefined);
      const ways = [...outcome.log.matchAll(/ merged="?(whole|by entry)/g)];
      assertEquals(ways.map(([, way]) => way === "whole" ? "w" : "e").join(""), merged);
      assertEquals(await shape(root, Object.keys(holds)), holds);
    }));
}
