import { errno, errnoText, libc } from "./libc.ts";

const c = libc({ access: { parameters: ["buffer", "i32"], result: "i32" } });

const X_OK = 1;
const W_OK = 2;

/**
 * Why this process may not make entries in a directory, asking the kernel, which knows of read-only
 * mounts and access lists; undefined when it may.
 */
export function whyNotWritable(directory: string): string | undefined {
  const path = new TextEncoder().encode(directory + "\0");
  return c.access(path, W_OK | X_OK) === 0 ? undefined : errnoText(errno[0]!);
}
