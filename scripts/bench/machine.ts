import { onPath } from "../../tests/peers.ts";

/** What the figures hold for. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  /** In bytes. */
  readonly memory: number;
  readonly kernel: string;
  readonly fileSystem: string;
  /** Versions of every program that takes part and is installed. */
  readonly programs: Readonly<Record<string, string>>;
}

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  "docker-registry": ["--version"],
  crane: ["version"],
  skopeo: ["--version"],
  umoci: ["--version"],
  tar: ["--version"],
  "libdeflate-gunzip": ["-V"],
};

/** @param dir where the benchmark works */
export async function describeMachine(dir: string): Promise<Machine> {
  const cpuinfo = await Deno.readTextFile("/proc/cpuinfo");
  const programs: Record<string, string> = { deno: Deno.version.deno };
  for (const [name, args] of Object.entries(PROGRAMS)) {
    if (onPath(name)) programs[name] = await firstVersion(name, args);
  }
  return {
    cores: navigator.hardwareConcurrency,
    processor: /^model name\s*: (.*)$/m.exec(cpuinfo)?.[1] ?? Deno.build.arch,
    memory: Deno.systemMemoryInfo().total,
    // Vendors' suffixes say nothing about how it performs.
    kernel: /^\d+(\.\d+)*/.exec(Deno.osRelease())?.[0] ?? "unknown",
    fileSystem: await fileSystemOf(dir),
    programs,
  };
}

async function firstVersion(name: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(name, { args: [...args] }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return /\d+\.\d+[\w.+-]*/.exec(text)?.[0] ?? "unknown";
}

/** The type of the mount with the longest path above a directory. */
async function fileSystemOf(dir: string): Promise<string> {
  const path = `${await Deno.realPath(dir)}/`;
  const mounts = (await Deno.readTextFile("/proc/self/mounts")).split("\n")
    .map((line) => line.split(" "))
    .filter(([, at = ""]) => at !== "" && path.startsWith(at.endsWith("/") ? at : `${at}/`))
    .sort(([, a = ""], [, b = ""]) => b.length - a.length);
  return mounts[0]?.[2] ?? "unknown";
}
