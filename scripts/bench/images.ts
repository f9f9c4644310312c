import { writeLayout } from "../../tests/registry/layout.ts";
import { ContentMaker, type Kind, type Random, seeded } from "./content.ts";
import { TarFile } from "./tar_file.ts";
import { allowedPart, type Tree } from "./tree.ts";

export const IMAGE_NAMES = ["base+app", "six layers", "one file"] as const;
export type ImageName = (typeof IMAGE_NAMES)[number];

/** Every image of a layout is named so; each has a layout of its own. */
export const TAG = "latest";

/** One of the benchmark's images, as an OCI layout. */
export interface BenchImage {
  readonly name: ImageName;
  /** Name in the registry. */
  readonly repository: string;
  readonly layout: string;
  /** What overlay mode makes of it. */
  readonly expected: Tree;
  readonly entries: number;
  /** Bytes of all files. */
  readonly unpacked: number;
  readonly layers: readonly BenchLayer[];
}

export interface BenchLayer {
  readonly digest: string;
  /** Bytes of the blob. */
  readonly size: number;
  /** The topmost directories with something to extract. */
  readonly allowed: readonly string[];
}

type MakeLayer = (tar: TarFile) => void;

/**
 * Makes an image below `dir`, the same bytes every time.
 *
 * @param scale multiplies the files, or the bytes of the one file
 */
export async function makeImage(name: ImageName, dir: string, scale: number): Promise<BenchImage> {
  const repository = `bench/${name.replaceAll(/[^a-z]+/g, "-")}`;
  const layout = `${dir}/${repository.replace("/", "-")}`;
  await Deno.mkdir(layout);
  const merged: Tree = new Map();
  const tars: string[] = [];
  const allowed: string[][] = [];
  let entries = 0;
  let unpacked = 0;
  for (const make of shape(name, scale)) {
    const tree: Tree = new Map();
    const path = `${layout}/layer-${tars.length}.tar`;
    {
      using tar = new TarFile(path, tree);
      make(tar);
      entries += tar.entries;
      unpacked += tar.size;
    }
    tars.push(path);
    allowed.push(topmost(allowedPart(tree)));
    for (const [at, node] of tree) merged.set(at, node);
  }
  const { layers } = await writeLayout(layout, {
    tag: TAG,
    config: { Cmd: ["/app/server"] },
    // A scaled image measures memory alone, and need not be compressed as well as it can be.
    layers: tars.map((tar) => ({ tar, level: scale === 1 ? 6 : 1 })),
  });
  for (const tar of tars) await Deno.remove(tar);
  return {
    name,
    repository,
    layout,
    expected: allowedPart(merged),
    entries,
    unpacked,
    layers: layers.map(({ digest, size }, i) => ({ digest, size, allowed: allowed[i]! })),
  };
}

function shape(name: ImageName, scale: number): MakeLayer[] {
  switch (name) {
    case "base+app":
      return [baseLayer(scale), applicationLayer(scale)];
    case "six layers":
      return Array.from({ length: 6 }, (_, i) => mixedLayer(i, scale));
    case "one file":
      return [(tar) => oneFile(tar, scale)];
  }
}

/** As Debian's: programs, libraries, documentation and translations, none of it extracted. */
function baseLayer(scale: number): MakeLayer {
  const parts: readonly [path: string, files: number, kind: Kind, mode: number, mean: number][] = [
    ["usr/bin", 900, "binary", 0o755, 38_000],
    ["usr/lib/x86_64-linux-gnu", 700, "binary", 0o644, 76_000],
    ["usr/lib/modules", 500, "binary", 0o644, 16_000],
    ["usr/share/doc", 2200, "text", 0o644, 3_500],
    ["usr/share/locale", 1500, "text", 0o644, 6_000],
    ["usr/share/zoneinfo", 1200, "binary", 0o644, 1_500],
    ["usr/share/perl", 1100, "text", 0o644, 7_000],
    ["etc", 500, "text", 0o644, 2_000],
  ];
  return (tar) => {
    const random = seeded(1);
    const contents = new ContentMaker(2);
    for (const name of ["bin", "lib", "sbin"]) tar.symlink(name, `usr/${name}`);
    for (const [path, files, kind, mode, mean] of parts) {
      fill(
        tar,
        path,
        { files: files * scale, mean, kinds: { [kind]: 1 }, mode },
        random,
        contents,
      );
      const links = Math.round(files * scale * 0.08);
      for (let i = 0; i < links; i++) tar.symlink(`${path}/link-${i}`, `0/${i}`);
    }
  };
}

/** As a Node.js or Python application with its packages: many directories of small files. */
function applicationLayer(scale: number): MakeLayer {
  return (tar) => {
    const random = seeded(3);
    const filling = { files: 6000 * scale, mean: 6_000, kinds: { text: 0.95, binary: 0.05 } };
    fill(tar, "app", filling, random, new ContentMaker(4));
  };
}

function mixedLayer(index: number, scale: number): MakeLayer {
  return (tar) => {
    const random = seeded(10 + index);
    const contents = new ContentMaker(20 + index);
    const text = { files: 700 * scale, mean: 20_000, kinds: { text: 0.9, binary: 0.1 } };
    fill(tar, `app/part-${index}`, text, random, contents);
    const libraries = { files: 36 * scale, mean: 850_000, kinds: { text: 0.2, binary: 0.8 } };
    fill(tar, `opt/part-${index}`, libraries, random, contents);
  };
}

function oneFile(tar: TarFile, scale: number): void {
  const contents = new ContentMaker(5);
  const part = 1024 * 1024;
  const parts = 1024 * scale;
  tar.directory("app");
  tar.file(
    "app/model.bin",
    0o644,
    parts * part,
    function* () {
      for (let i = 0; i < parts; i++) yield contents.make(i % 2 === 0 ? "binary" : "text", part);
    }(),
  );
}

interface Filling {
  readonly files: number;
  /** Bytes of a file; sizes scatter as they do in packages, most far smaller and a few far larger. */
  readonly mean: number;
  /** Shares of the files, in sum 1. */
  readonly kinds: { readonly text?: number; readonly binary?: number };
  readonly mode?: number;
}

const FILES_A_DIRECTORY = 12;

function fill(
  tar: TarFile,
  path: string,
  { files, mean, kinds, mode = 0o644 }: Filling,
  random: Random,
  contents: ContentMaker,
): void {
  const parents = path.split("/");
  for (let i = 1; i <= parents.length; i++) tar.directory(parents.slice(0, i).join("/"));
  for (let i = 0; i < files; i++) {
    const directory = `${path}/${Math.floor(i / FILES_A_DIRECTORY)}`;
    if (i % FILES_A_DIRECTORY === 0) tar.directory(directory);
    // Exponentially distributed, which has this mean.
    const size = Math.floor(-Math.log(1 - random()) * mean);
    const kind = random() < (kinds.text ?? 0) ? "text" : "binary";
    tar.file(`${directory}/${i}`, mode, size, [contents.make(kind, size)]);
  }
}

/** The paths that lie in no other. */
function topmost(tree: Tree): string[] {
  return [...tree.keys()].filter((path) => !tree.has(path.slice(0, path.lastIndexOf("/"))));
}
