import { type Facts, under } from "./facts.ts";

/** A Python virtual environment that this system's Python does not fit. */
export interface VenvProblem {
  readonly directory: string;
  /** `3.12` */
  readonly version: string;
  /** Where the environment expects its Python. */
  readonly expected: string;
  /** What is there instead; undefined when nothing is. */
  readonly found: string | undefined;
}

const MAX_CONFIG = 16 * 1024;

/**
 * Looks at the environment that a program of `…/bin/` belongs to: `pyvenv.cfg` beside `bin`, and where
 * its `python` link leads.
 */
export function venvProblem(file: string, facts: Facts): VenvProblem | undefined {
  const bin = file.slice(0, file.lastIndexOf("/"));
  const directory = under("/", `${bin}/..`);
  const bytes = facts.read(`${directory}/pyvenv.cfg`, MAX_CONFIG);
  if (bytes === undefined) return undefined;
  const config = new Map(
    new TextDecoder().decode(bytes).split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
  const full = config.get("version_info") ?? config.get("version") ?? "";
  const version = /^\d+\.\d+/.exec(full)?.[0];
  if (version === undefined) return undefined;
  const python = `${bin}/python`;
  const real = facts.real(python);
  if (real === undefined) {
    const expected = lastLink(python, facts);
    return expected === undefined ? undefined : { directory, version, expected, found: undefined };
  }
  const actual = /python(\d+\.\d+)$/.exec(real)?.[1];
  const fits = actual === undefined || actual === version ||
    facts.stat(`${directory}/lib/python${actual}/site-packages`) !== undefined;
  return fits
    ? undefined
    : { directory, version, expected: `${config.get("home") ?? ""}/python${version}`, found: real };
}

/** The Pythons on a `PATH`, as `3.11 at /usr/bin/python3.11`. */
export function pythonsOn(path: string, facts: Facts): string[] {
  return path.split(":").flatMap((directory) =>
    facts.list(directory).flatMap((name) => {
      const version = /^python(\d+\.\d+)$/.exec(name)?.[1];
      return version === undefined ? [] : [`${version} at ${directory}/${name}`];
    })
  );
}

/** Where a chain of links ends that leads to nothing. */
function lastLink(path: string, facts: Facts): string | undefined {
  let at = path;
  for (let hops = 0; hops < 16; hops++) {
    const target = facts.link(at);
    if (target === undefined) break;
    at = target.startsWith("/")
      ? target
      : under("/", `${at.slice(0, at.lastIndexOf("/"))}/${target}`);
  }
  return at === path ? undefined : at;
}
