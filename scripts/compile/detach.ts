/**
 * Paths in ld.so and libc that would bring another system's files into the process, and code with
 * them; each becomes one that is not there. What remains are the resolver's own files.
 */
const PATHS: Readonly<Record<"loader" | "libc", readonly string[]>> = {
  // Libraries to load into every process, and where libraries are.
  loader: ["/etc/ld.so.preload", "/etc/ld.so.cache"],
  // Modules to ask for names (without it: the hosts file, then DNS), and the time zone.
  libc: ["/etc/nsswitch.conf", "/etc/localtime"],
};

/** As long as needed: below /proc nobody can make a file. */
const NOWHERE = "/proc/nowhere/-------";

/** A copy of `bytes` without the paths; throws when one is not there exactly once. */
export function detach(bytes: Uint8Array, kind: keyof typeof PATHS): Uint8Array {
  const copy = bytes.slice();
  for (const path of PATHS[kind]) {
    const found = occurrences(bytes, `${path}\0`);
    const [at] = found;
    if (at === undefined || found.length > 1) {
      throw new Error(`"${path}" is ${found.length} times in the ${kind}, where once is expected`);
    }
    copy.set(new TextEncoder().encode(NOWHERE.slice(0, path.length)), at);
  }
  return copy;
}

function occurrences(bytes: Uint8Array, text: string): number[] {
  // One character a byte, so that an index is an offset.
  const haystack = new TextDecoder("latin1").decode(bytes);
  const found: number[] = [];
  for (let at = haystack.indexOf(text); at >= 0; at = haystack.indexOf(text, at + 1)) {
    found.push(at);
  }
  return found;
}
