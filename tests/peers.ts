/**
 * Registers a test that needs other programs of the field (registries, unpackers, runtimes).
 *
 * Where one of `peers` is not on `PATH` the test is ignored, with the reason in its name; under
 * `CI` it fails instead, since there a test that quietly does not run is worse than a red one.
 */
export function peerTest(
  name: string,
  peers: readonly string[],
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = peers.filter((peer) => !onPath(peer));
  if (missing.length === 0) {
    Deno.test({ name, fn });
    return;
  }
  const why = `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not installed`;
  if (underCi()) {
    Deno.test(name, () => {
      throw new Error(`needed under CI: ${why}`);
    });
  } else {
    Deno.test({ name: `${name} [skipped: ${why}]`, ignore: true, fn });
  }
}

/**
 * Registers a test that holds only for the superuser (privilege drop, ownership); as a plain user it
 * is ignored, with the reason in its name, and under `CI` it fails.
 */
export function rootTest(
  name: string,
  peers: readonly string[],
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  if (Deno.uid() === 0) {
    peerTest(name, peers, fn);
  } else if (underCi()) {
    Deno.test(name, () => {
      throw new Error("needed under CI: run the tests as root");
    });
  } else {
    Deno.test({ name: `${name} [skipped: not root]`, ignore: true, fn });
  }
}

/** Whether an executable of this name is in a directory of `PATH`. */
export function onPath(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      const info = Deno.statSync(`${directory || "."}/${program}`);
      return info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}

function underCi(): boolean {
  return (Deno.env.get("CI") ?? "") !== "";
}
