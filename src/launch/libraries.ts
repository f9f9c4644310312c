import type { Elf } from "./elf.ts";
import type { Facts } from "./facts.ts";

const TRIPLETS = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
const BASE_DIRECTORIES = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"];
const DIRECTORIES = BASE_DIRECTORIES.flatMap((directory) => [
  directory,
  ...TRIPLETS.map((triplet) => `${directory}/${triplet}`),
]);

/** A loader elsewhere (Nix, a bundled libc) has search rules of its own. */
const USUAL_LOADER = /^\/(usr\/)?lib(64)?\/(ld-linux|ld-musl)[^/]*$/;

const MAX_CACHE = 4 * 1024 * 1024;

/**
 * The first shared library that a program needs and this system does not have. Only what is nowhere
 * is told: not in the program's own search path, `LD_LIBRARY_PATH`, the usual directories, the
 * loader's configuration, nor its cache.
 */
export function missingLibrary(
  file: string,
  elf: Elf,
  env: Readonly<Record<string, string>>,
  facts: Facts,
): string | undefined {
  if (elf.interpreter === undefined || !USUAL_LOADER.test(elf.interpreter)) return undefined;
  const real = facts.real(file) ?? file;
  const origin = real.slice(0, real.lastIndexOf("/")) || "/";
  const directories = [
    ...elf.searchPath.map((path) => path.replace(/\$ORIGIN\b|\$\{ORIGIN\}/g, origin)),
    ...(env["LD_LIBRARY_PATH"] ?? "").split(":").filter((path) => path !== ""),
    ...DIRECTORIES,
  ];
  const missing = elf.needed.filter((name) =>
    !name.includes("/") &&
    // musl's loader is the C library, under whatever name.
    !(elf.interpreter?.includes("ld-musl") &&
      /^lib(c|m|pthread|dl|rt|util|crypt|resolv)\b/.test(name)) &&
    !directories.some((directory) => facts.stat(`${directory}/${name}`) !== undefined)
  );
  if (missing.length === 0) return undefined;
  const configured = configuredDirectories(facts);
  const cache = new TextDecoder("latin1").decode(
    facts.read("/etc/ld.so.cache", MAX_CACHE) ?? new Uint8Array(),
  );
  return missing.find((name) =>
    !cache.includes(`${name}\0`) &&
    !configured.some((directory) => facts.stat(`${directory}/${name}`) !== undefined)
  );
}

/** The directories that `ld.so.conf` and musl's path files name. */
function configuredDirectories(facts: Facts): string[] {
  const files = [
    "/etc/ld.so.conf",
    ...facts.list("/etc/ld.so.conf.d").map((name) => `/etc/ld.so.conf.d/${name}`),
    ...facts.list("/etc").filter((name) => /^ld-musl-.*\.path$/.test(name)).map((name) =>
      `/etc/${name}`
    ),
  ];
  return files.flatMap((file) =>
    new TextDecoder().decode(facts.read(file, 64 * 1024) ?? new Uint8Array())
      .split(/[\n:]/).map((line) => line.trim()).filter((line) => line.startsWith("/"))
  );
}
