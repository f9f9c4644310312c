import { Exit, reason, RunnerError } from "../errors.ts";

/**
 * Makes the root and what is missing above it, searchable for everyone, whatever the umask.
 *
 * @returns what takes that back as long as nothing has been put there
 * @throws {RunnerError} 73
 */
export function makeRoot(root: string): () => void {
  const made: string[] = [];
  const unmake = () => {
    for (const path of made.reverse()) {
      try {
        Deno.removeSync(path);
      } catch {
        return; // Not empty: it is somebody's by now.
      }
    }
  };
  const names = root.split("/").slice(1);
  for (const i of names.keys()) {
    const path = `/${names.slice(0, i + 1).join("/")}`;
    try {
      Deno.mkdirSync(path);
      made.push(path);
      Deno.chmodSync(path, 0o755);
    } catch (error) {
      // Without looking first: what is there may not be made for other reasons too (read-only).
      if (isDirectory(path)) continue;
      unmake();
      throw new RunnerError(
        Exit.cannotWrite,
        `cannot make RUNNER_ROOT "${root}": ${reason(error)}: make it, or choose another`,
        { cause: error },
      );
    }
  }
  return unmake;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
