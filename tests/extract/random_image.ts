import { archive, ArchiveBuilder, type HeaderFields } from "../archive_builder.ts";
import { Random } from "./random.ts";

/** Where entries land: allowed paths, their ancestors, and paths that are left out. */
const TOPS = [
  "app",
  "app",
  "app",
  "opt",
  "data",
  "srv",
  "home/u",
  "var/lib",
  "usr/lib/python3.12/site-packages",
  "usr/local/lib/node_modules",
  "etc",
  "lib",
  "root",
  "usr",
];
const NAMES = ["a", "b", "c", "d", "long-" + "n".repeat(120), "ü", ".hidden"];
/** Every time of the generator is before this; what an unpacker makes up is after it. */
export const LAST_TIME = 1_600_000_000;

/** A random image: 1 to 5 layers of up to 30 entries of every kind and header format. */
export function randomImage(seed: number): Uint8Array[] {
  const random = new Random(seed);
  // Engines refuse most of what is thrown together blindly; some of it they must see all the same.
  const known = new Known(random.chance(0.9));
  return Array.from({ length: 1 + random.int(5) }, () => {
    const layer = archive();
    // Most layers of real images are tidy; such are merged by another way than the rest.
    const tidy = random.chance(0.4) ? new Tidy() : undefined;
    const count = 1 + random.int(30);
    for (let i = 0; i < count; i++) addEntry(layer, random, known, tidy);
    return random.chance(0.1) ? layer.unfinished() : layer.build();
  });
}

type Kind = "directory" | "file" | "symlink";

/** What the entries so far have made, by name, so that further ones can fit. */
class Known {
  readonly #kinds = new Map<string, Kind>();
  readonly #fits: boolean;

  /** @param fits false: anything is proposed, whether it can be made or not */
  constructor(fits: boolean) {
    this.#fits = fits;
  }

  get paths(): string[] {
    return [...this.#kinds.keys()];
  }

  /** What a hard link can name. */
  get files(): string[] {
    return this.#fits
      ? this.paths.filter((path) => this.#kinds.get(path) !== "directory" && this.fits(path))
      : this.paths;
  }

  set(path: string, kind: Kind): void {
    if (kind !== "directory") this.delete(path);
    this.#kinds.delete(path);
    this.#kinds.set(path, kind);
  }

  delete(path: string): void {
    for (const below of this.paths) {
      if (below === path || below.startsWith(path + "/")) this.#kinds.delete(below);
    }
  }

  /** Whether everything above a path is, or can become, a directory. */
  fits(path: string): boolean {
    if (!this.#fits) return true;
    const names = path.split("/");
    return names.slice(1).every((_, i) => {
      const kind = this.#kinds.get(names.slice(0, i + 1).join("/"));
      return kind !== "file" && (kind !== "symlink" || names.length % 3 === 0);
    });
  }
}

/** A layer no two of whose entries want the same path, each below directories only. */
class Tidy {
  readonly #kinds = new Map<string, Kind>();

  /** Whether an entry of this kind may be added; it is then taken as added. */
  add(path: string, kind: Kind): boolean {
    if (this.#kinds.has(path)) return false;
    const names = path.split("/");
    const above = names.slice(1).map((_, i) => names.slice(0, i + 1).join("/"));
    if (above.some((at) => (this.#kinds.get(at) ?? "directory") !== "directory")) return false;
    const isAbove = [...this.#kinds.keys()].some((at) => at.startsWith(path + "/"));
    if (isAbove && kind !== "directory") return false;
    this.#kinds.set(path, kind);
    return true;
  }

  get files(): string[] {
    return [...this.#kinds].filter(([, kind]) => kind !== "directory").map(([path]) => path);
  }
}

function randomPath(random: Random, known: Known): string {
  for (let tries = 0;; tries++) {
    const path = anyPath(random, known.paths);
    if (tries === 20 || known.fits(path)) return path;
  }
}

function anyPath(random: Random, known: readonly string[]): string {
  if (known.length > 0 && random.chance(0.35)) {
    const path = random.pick(known);
    return random.chance(0.4) ? `${path}/${random.pick(NAMES)}` : path;
  }
  const parts = [random.pick(TOPS)];
  while (random.chance(0.6) && parts.length < 4) parts.push(random.pick(NAMES));
  if (parts.length === 1 && random.chance(0.7)) parts.push(random.pick(NAMES));
  return parts.join("/");
}

function addEntry(
  layer: ArchiveBuilder,
  random: Random,
  known: Known,
  tidy: Tidy | undefined,
): void {
  const path = randomPath(random, known);
  // What is left of the range has no whiteouts.
  const roll = tidy === undefined ? random.next() : 0.16 + random.next() * 0.84;
  const add = (kind: Kind) => {
    if (tidy?.add(path, kind) === false) return false;
    known.set(path, kind);
    return true;
  };
  if (roll < 0.12) {
    const { paths } = known;
    const hidden = random.chance(0.8) && paths.length > 0 ? random.pick(paths) : path;
    layer.whiteout(hidden);
    known.delete(hidden);
    return;
  }
  if (roll < 0.16) {
    layer.opaque(path);
    return;
  }
  const { files } = tidy ?? known;
  const mtime = random.int(LAST_TIME);
  const fields: HeaderFields = {
    mode: random.pick([0o644, 0o755, 0o600, 0o4755, 0o2775, 0o1777, 0o444]),
    uid: random.pick([0, 1000, 65534, 2_500_000]),
    gid: random.pick([0, 1000, 65534]),
    mtime,
  };
  if (roll < 0.36) {
    // No setgid: we drop it by contract, so what is made below does not inherit the group.
    const mode = fields.mode! & 0o1777;
    if (!add("directory")) return;
    emit(layer, random, dressed(path + "/", random), { ...fields, mode, flag: "5" });
  } else if (roll < 0.52) {
    const link = randomTarget(random, known);
    if (!add("symlink")) return;
    emit(layer, random, dressed(path, random), { ...fields, flag: "2", link });
  } else if (roll < 0.62 && files.length > 0) {
    const link = random.pick(files);
    if (path === link || link.startsWith(path + "/") || !add("file")) return;
    emit(layer, random, dressed(path, random), {
      ...fields,
      flag: "1",
      link: dressed(link, random),
    });
  } else if (roll < 0.64 && tidy === undefined) {
    emit(layer, random, dressed(path, random), { ...fields, flag: "6" });
    known.set(path, "file");
  } else if (add("file")) {
    const content = random.bytes(random.pick([0, 1, 511, 512, 513, 3000]));
    const flag = random.chance(0.1) ? "\0" : "0";
    emit(layer, random, dressed(path, random), { ...fields, flag, content });
  }
}

/** The same path in one of the spellings that archives have. */
function dressed(path: string, random: Random): string {
  return random.pick([path, path, path, `./${path}`, `/${path}`, `x/../${path}`]);
}

function randomTarget(random: Random, known: Known): string {
  const target = randomPath(random, known);
  return random.pick([
    `/${target}`,
    `/${target}`,
    target,
    `../${target}`,
    `../../../../../${target}`,
    random.pick(NAMES),
    ".",
    "..",
    "/",
  ]);
}

/** Writes an entry in a format that can hold it, chosen at random among those. */
function emit(
  layer: ArchiveBuilder,
  random: Random,
  path: string,
  fields: HeaderFields,
): void {
  const { link, content = "", ...rest } = fields;
  const linkText = (link ?? "") as string;
  const isLong = new TextEncoder().encode(path).length > 100 ||
    new TextEncoder().encode(linkText).length > 100;
  if (!isLong && random.chance(0.6)) {
    const format = random.pick(["ustar", "gnu", "v7"] as const);
    layer.entry({ ...rest, path, link: linkText, content, format });
  } else if (random.chance(0.5)) {
    layer.gnuLongName(path);
    if (linkText !== "") layer.gnuLongLink(linkText);
    layer.entry({ ...rest, path: "short", link: "short", content, format: "gnu" });
  } else {
    const records: Record<string, string> = { path, comment: "c" };
    if (linkText !== "") records.linkpath = linkText;
    if (random.chance(0.5)) records.mtime = `${rest.mtime}.${random.int(1e9)}`;
    if (random.chance(0.3)) records.uid = String(rest.uid);
    layer.pax(records).entry({ ...rest, path: "short", link: "short", content });
  }
}
