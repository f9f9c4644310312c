import * as z from "zod/mini";
import { parsePlatform, type Platform } from "../reference/platform.ts";

/**
 * The value kinds of the settings table: each parses the text of a variable or flag. Their own
 * messages are not shown; the table row says what the setting takes.
 */

const DURATION_MS: Readonly<Record<string, number>> = {
  "": 1000,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const SIZE_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Timers of the runtime hold no more than this many milliseconds (24.8 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Text as it is, but no NUL, which no argument or variable can carry. */
export const text = z.string().check(
  z.minLength(1),
  z.refine((value) => !value.includes("\0")),
);

/** Text that is allowed to be a URL path: begins with `/`, no white space or control characters. */
export const urlPath = z.string().check(z.regex(/^\/[\x21-\x7e]*$/));

/** A host name or address to listen on. */
export const host = z.string().check(z.regex(/^[\w.:%-]+$/));

export const port = whole(/^[0-9]{1,5}$/, 65535);

/** A whole number from 1. */
export const count = whole(/^[0-9]+$/, Number.MAX_SAFE_INTEGER);

function whole(pattern: RegExp, most: number) {
  const number = z.pipe(z.string().check(z.regex(pattern)), z.transform(Number));
  return z.pipe(number, z.number().check(z.gte(1), z.lte(most)));
}

/** `true` or `1`, `false` or `0`. */
export const toggle = z.pipe(
  z.enum(["1", "0", "true", "false"]),
  z.transform((value) => value === "1" || value === "true"),
);

/** Milliseconds from `30` (seconds), `500ms`, `30s`, `2m`, `1h`. */
export const duration = scaled(/^([0-9]+)(ms|s|m|h|)$/, DURATION_MS, LONGEST_TIMER_MS);

/** Bytes from `1048576`, `500MB` (powers of 1000), `20GiB` (powers of 1024), in any case. */
export const size = scaled(
  /^([0-9]+)([kmgt]?b|[kmgt]ib|)$/,
  SIZE_BYTES,
  Number.MAX_SAFE_INTEGER,
);

function scaled(pattern: RegExp, units: Readonly<Record<string, number>>, most: number) {
  const number = textAs((value, context) => {
    const [, digits, unit] = pattern.exec(value.toLowerCase()) ?? [];
    const factor = units[unit ?? ""];
    if (digits === undefined || factor === undefined) return refuse(context, "no such unit");
    return Number(digits) * factor;
  });
  return z.pipe(number, z.number().check(z.gte(1), z.lte(most)));
}

/** An absolute path, normalised; `..` is refused rather than resolved. */
export const absolutePath = z.pipe(
  text.check(z.regex(/^\//), z.refine((value) => !value.split("/").includes(".."))),
  z.transform(normalise),
);

/** `/a:/b`: absolute paths, none of them the root itself. */
export const pathList = listOf(":", absolutePath.check(z.refine((path) => path !== "/")));

/** `linux/arm64/v8`. */
export const platform = textAs((value, context): Platform => {
  try {
    return parsePlatform(value);
  } catch {
    return refuse(context, "not a platform");
  }
});

/** `host[:port]`, comma-separated. */
export const registryList = listOf(
  ",",
  z.string().check(z.regex(/^(\[[0-9a-fA-F:]+\]|[\w.-]+)(:[0-9]+)?$/)),
);

/** `registry=https://mirror`, comma-separated; a registry named twice has its mirrors in order. */
export const mirrors = textAs((value, context) => {
  const result: Record<string, string[]> = {};
  for (const item of value.split(",").map((part) => part.trim())) {
    const at = item.indexOf("=");
    const url = at > 0 ? URL.parse(item.slice(at + 1)) : null;
    const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
      url.password === "" && url.search === "" && url.hash === "";
    if (!plain) return refuse(context, "not registry=URL");
    (result[item.slice(0, at)] ??= []).push(url.href.replace(/\/+$/, ""));
  }
  return result as Readonly<Record<string, readonly string[]>>;
});

/** `uid`, `uid:gid`, `name`, `name:group`, `image`; ids below 2^32 - 1, which means "unchanged". */
export const user = z.string().check(
  z.regex(/^[\w.-]+\$?(:[\w.-]+\$?)?$/),
  z.refine((value) =>
    value.split(":").every((part) => !/^[0-9]+$/.test(part) || Number(part) < 2 ** 32 - 1)
  ),
);

/** Names of the runner's own that no setting lets through (contract section 3). */
export const NEVER_PASSED =
  /^(REGISTRY_|RUNNER_|DENO_|LD_|MCP_ENV_|FASTMCP_RUNNER_)|^DOCKER_AUTH_CONFIG$/;

/** Names of variables, comma-separated, `*` allowed at the end; never those of contract section 3. */
export const passList = listOf(
  ",",
  z.string().check(
    z.regex(/^([A-Za-z_][A-Za-z0-9_]*\*?|\*)$/),
    z.refine((name) => !NEVER_PASSED.test(name)),
  ),
);

function listOf<T>(separator: string, item: z.ZodMiniType<T, string>) {
  const parts = textAs((value) => value.split(separator).map((part) => part.trim()));
  return z.pipe(parts, z.array(item));
}

function textAs<T>(parse: (value: string, context: z.core.ParsePayload) => T) {
  return z.pipe(z.string(), z.transform(parse));
}

function refuse(context: z.core.ParsePayload, message: string): never {
  context.issues.push({ code: "custom", message, input: context.value });
  return z.NEVER;
}

function normalise(path: string): string {
  return "/" + path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}
