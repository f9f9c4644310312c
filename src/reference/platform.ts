import { Exit, RunnerError } from "../errors.ts";

/** An OCI platform (image-spec, image index `platform`). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  readonly osVersion?: string | undefined;
}

/** Names that other systems give to the architectures of Go's list, which OCI uses. */
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
  armel: "arm",
  i386: "386",
  i686: "386",
};

/**
 * `os/architecture[/variant]`, as `docker pull --platform` takes it, the architecture's usual
 * aliases (`x86_64`, `aarch64`) included. Throws {@linkcode RunnerError} 64 for anything else.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [os, arch, variant] = parts;
  const wellFormed = parts.length <= 3 && parts.every((part) => /^[A-Za-z0-9_.-]+$/.test(part));
  if (!wellFormed || os === undefined || arch === undefined) {
    throw new RunnerError(
      Exit.settings,
      `platform "${text}" is not valid: it must be os/architecture or os/architecture/variant, ` +
        `like linux/amd64 or linux/arm/v7`,
    );
  }
  const name = arch.toLowerCase();
  const implied = name === "armhf" ? "v7" : name === "armel" ? "v6" : undefined;
  return {
    os: os.toLowerCase(),
    architecture: ALIASES[name] ?? name,
    variant: variant?.toLowerCase() ?? implied,
  };
}

/** The platform this process runs on. */
export function hostPlatform(): Platform {
  return { os: Deno.build.os, architecture: ALIASES[Deno.build.arch] ?? Deno.build.arch };
}

/** `linux/arm/v7`, with the OS version in parentheses when there is one. */
export function formatPlatform(platform: Platform): string {
  const variant = platform.variant === undefined ? "" : `/${platform.variant}`;
  const version = platform.osVersion === undefined ? "" : ` (${platform.osVersion})`;
  return `${platform.os}/${platform.architecture}${variant}${version}`;
}
