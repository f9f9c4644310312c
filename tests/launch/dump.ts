import * as z from "zod";
import { type ConfigInput, writeLayout } from "../registry/layout.ts";
import { tar, type TarEntry } from "../registry/tar.ts";
import { succeed } from "../programs.ts";

/** What dump.c prints: all a program is given at its start. */
export const Dump = z.object({
  pid: z.number(),
  argv: z.array(z.string()),
  env: z.array(z.string()),
  cwd: z.string(),
  exe: z.string(),
  /** Real, effective, saved. */
  uid: z.array(z.number()),
  gid: z.array(z.number()),
  groups: z.array(z.number()),
  umask: z.string(),
  securebits: z.number(),
  dumpable: z.number(),
  PPid: z.string(),
  Threads: z.string(),
  SigBlk: z.string(),
  SigIgn: z.string(),
  SigCgt: z.string(),
  CapInh: z.string(),
  CapPrm: z.string(),
  CapEff: z.string(),
  CapBnd: z.string(),
  CapAmb: z.string(),
  NoNewPrivs: z.string(),
  descriptors: z.array(z.number()),
  /** Signals whose disposition is not the default. */
  notDefault: z.array(z.number()),
  /** SCHED_OTHER is 0. */
  scheduling: z.number(),
  /** Soft and hard limits. */
  nofile: z.array(z.string()),
  core: z.array(z.string()),
});
export type Dump = z.infer<typeof Dump>;

/** Compiles dump.c, statically, into `dir`. @returns its path */
export async function compileDump(dir: string): Promise<string> {
  const source = new URL("dump.c", import.meta.url).pathname;
  const out = `${dir}/dump`;
  await succeed("cc", ["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", out, source]);
  return out;
}

/** The image's own passwd and group, which overlay mode reads but does not extract. */
const ACCOUNTS: readonly TarEntry[] = [
  { path: "etc" },
  {
    path: "etc/passwd",
    content: "root:x:0:0::/root:/bin/sh\napp:x:1001:1002::/home/app:/bin/sh\n",
  },
  { path: "etc/group", content: "root:x:0:\napp:x:1002:\nextra:x:44:app\n" },
  { path: "home" },
  { path: "home/app" },
];

/** Writes a layout of an image whose `/app/bin/dump` is the test program. @returns IMAGE for it */
export async function dumpLayout(
  dir: string,
  program: string,
  config: ConfigInput,
): Promise<string> {
  const content = await Deno.readFile(program);
  const layer = tar([
    ...ACCOUNTS,
    { path: "app" },
    { path: "app/data.txt", content: "data" },
    { path: "app/bin" },
    { path: "app/bin/dump", content, mode: 0o755 },
  ]);
  await writeLayout(dir, { tag: "latest", layers: [{ tar: layer, level: 1 }], config });
  // Whoever the runner is, it has to read it.
  await succeed("chmod", ["-R", "a+rX", dir]);
  return `oci:${dir}`;
}

/** A status line of a process: `CapBnd` of the test itself, say. */
export function statusField(name: string, pid: number | "self" = "self"): string {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1]?.trim() ?? "";
}

/** Soft and hard limit of a process as the kernel words them, `unlimited` as its number. */
export function limitOf(name: "open files" | "core file size"): string[] {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  const match = new RegExp(`^Max ${name} +(\\w+) +(\\w+)`, "m").exec(limits);
  return [match?.[1], match?.[2]].map((value) =>
    value === undefined || value === "unlimited" ? String(2n ** 64n - 1n) : value
  );
}
