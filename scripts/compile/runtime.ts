/**
 * A directory that is not there and that nobody can make (the launcher starts nothing without
 * /proc): the runtime keeps its caches in memory then, and finds no configuration there.
 */
const NOWHERE = "/proc/nowhere";

/** What the runtime reads before the program's first line. */
export const HERMETIC_ENVIRONMENT: readonly string[] = [
  `DENO_DIR=${NOWHERE}`,
  // Else it looks for ~/.npmrc, and without HOME for the user's entry in /etc/passwd.
  `HOME=${NOWHERE}`,
  // Else a DNS look-up, a directory with a `node` on PATH, and a walk up for package.json.
  "DENO_NO_UPDATE_CHECK=1",
  "DENO_DISABLE_NODE_SHIM=1",
  "DENO_NO_PACKAGE_JSON=1",
];

/**
 * What comes before the program in the runtime's arguments. The program is a `data:` URL, since
 * `deno eval` costs 5 ms and 6 MB more.
 */
export const RUNTIME_ARGUMENTS: readonly string[] = [
  "deno",
  "run",
  "--allow-all",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  // A young generation of 4 MB in each isolate, not one that grows to 16: what is streamed is soon
  // garbage, and a pull's peak is lower at no measurable cost. From the start, since a smaller one is
  // collected four times before the first request.
  "--v8-flags=--min-semi-space-size=4,--max-semi-space-size=4",
];

/** The URL of a module that is `source`. */
export function dataUrl(source: string): string {
  return `data:application/javascript,${encodeURIComponent(source)}`;
}
