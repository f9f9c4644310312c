import { parseArgs } from "@std/cli/parse_args.js";
import { CONTENDERS, RUNNER } from "./contenders.ts";
import { IMAGE_NAMES, type ImageName } from "./images.ts";

export interface Options {
  /** Runs of every contender on every image. */
  readonly runs: number;
  /** Times the files, or the bytes, of the images as they are compared. */
  readonly scale: number;
  readonly dir: string;
  readonly images: readonly ImageName[];
  readonly contenders: readonly string[];
  /** Where to write the report as JSON. */
  readonly json: string | undefined;
  /** Write the report into docs/benchmarks.md. */
  readonly docs: boolean;
}

export const USAGE = `deno task bench [options]
  --runs N           runs of each contender on each image (default 5)
  --scale N          images N times as large (default 1); above 1 only the runner runs by default
  --dir DIR          where to work (default /dev/shm, so that no disk is measured)
  --image NAME       only this image, may be repeated: ${IMAGE_NAMES.join(", ")}
  --contender NAME   only this contender, may be repeated: ${
  CONTENDERS.map(({ name }) => name).join("; ")
}
  --json FILE        writes the report as JSON
  --docs             writes the report into docs/benchmarks.md`;

/** @throws {Error} naming what is not understood */
export function parseOptions(args: readonly string[]): Options {
  const parsed = parseArgs([...args], {
    string: ["runs", "scale", "dir", "image", "contender", "json"],
    collect: ["image", "contender"],
    boolean: ["docs"],
    unknown: (name: string) => {
      throw new Error(`unknown option "${name}"`);
    },
  });
  const scale = positive("scale", parsed.scale ?? "1");
  const contenders = parsed.contender.length > 0
    ? parsed.contender
    : scale > 1
    ? [RUNNER]
    : CONTENDERS.map(({ name }) => name);
  return {
    runs: positive("runs", parsed.runs ?? (scale > 1 ? "2" : "5")),
    scale,
    dir: parsed.dir ?? "/dev/shm",
    images: oneOf("image", parsed.image.length > 0 ? parsed.image : IMAGE_NAMES, IMAGE_NAMES),
    contenders: oneOf("contender", contenders, CONTENDERS.map(({ name }) => name)),
    json: parsed.json,
    docs: parsed.docs,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${name} takes a whole number from 1, not "${text}"`);
  }
  return value;
}

function oneOf<T extends string>(name: string, given: readonly string[], known: readonly T[]): T[] {
  return given.map((value) => {
    const found = known.find((one) => one === value);
    if (found === undefined) {
      throw new Error(`--${name} takes one of: ${known.join("; ")}; not "${value}"`);
    }
    return found;
  });
}
