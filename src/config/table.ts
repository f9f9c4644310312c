import { LOG_FORMATS, LOG_LEVELS } from "../log.ts";
import * as value from "./values.ts";
import * as z from "zod/mini";

/** One setting: the only place its names, rule, default and help are written. */
export interface Row {
  /** The variable; the flag's name follows from it ({@linkcode flagName}). */
  readonly env: string;
  readonly schema: z.ZodMiniType<unknown, string>;
  /** What it takes, as the end of "it takes …". */
  readonly takes: string;
  /** The default as a user would write it. Unset: there is none. */
  readonly default?: string;
  readonly help: string;
  /** Never shown, and wiped from the environment block at start. */
  readonly secret?: true;
  /** As a flag it may stand without a value, which means `1`. */
  readonly toggle?: true;
}

const row = <const R extends Row>(row: R): R => row;

const MODES = ["overlay"] as const;
const TRANSPORTS = ["streamable-http", "sse"] as const;
const PATH = "a path that begins with /";
const SIZE = "bytes, as a number or with a unit (500MB, 20GiB)";
const DURATION = "seconds, or a number with a unit (500ms, 30s, 2m, 1h)";

/** Every setting of contract sections 2 to 7, in the order `--help` lists them. */
export const TABLE = {
  image: row({
    env: "IMAGE",
    schema: value.text,
    takes: "an image reference, such as ghcr.io/org/name:tag",
    help: "Image to pull and run; also the first argument",
  }),
  port: row({
    env: "PORT",
    schema: value.port,
    takes: "a decimal number from 1 to 65535",
    help: "Port the server listens on",
  }),
  registryUser: row({
    env: "REGISTRY_USER",
    schema: value.text,
    takes: "a user name, together with REGISTRY_PASSWORD",
    help: "User name for the registry",
  }),
  registryPassword: row({
    env: "REGISTRY_PASSWORD",
    schema: value.text,
    takes: "a password or token, together with REGISTRY_USER",
    help: "Password or token for the registry; a flag is visible in the process list",
    secret: true,
  }),
  mcpTransport: row({
    env: "MCP_TRANSPORT",
    schema: z.enum(TRANSPORTS),
    takes: oneOf(TRANSPORTS),
    default: "streamable-http",
    help: "Transport the server is told to speak",
  }),
  mcpHost: row({
    env: "MCP_HOST",
    schema: value.host,
    takes: "a host name or address",
    default: "0.0.0.0",
    help: "Address the server binds, passed to it as HOST",
  }),
  mcpPath: row({
    env: "MCP_PATH",
    schema: value.urlPath,
    takes: PATH,
    default: "/mcp",
    help: "Path of the MCP endpoint",
  }),
  healthcheckPath: row({
    env: "HEALTHCHECK_PATH",
    schema: value.urlPath,
    takes: PATH,
    default: "/health",
    help: "Path the health command asks",
  }),
  logLevel: row({
    env: "LOG_LEVEL",
    schema: z.enum(LOG_LEVELS),
    takes: oneOf(LOG_LEVELS),
    default: "info",
    help: "Least severe messages that are logged",
  }),
  logFormat: row({
    env: "LOG_FORMAT",
    schema: z.enum(LOG_FORMATS),
    takes: oneOf(LOG_FORMATS),
    default: "text",
    help: "Lines of text, or one JSON object a line",
  }),
  mode: row({
    env: "RUNNER_MODE",
    schema: z.enum(MODES),
    takes: oneOf(MODES),
    default: "overlay",
    help: "Lay the image's application directories over this system",
  }),
  root: row({
    env: "RUNNER_ROOT",
    schema: value.absolutePath,
    takes: "an absolute path",
    default: "/",
    help: "Directory the files land in",
  }),
  paths: row({
    env: "RUNNER_PATHS",
    schema: value.pathList,
    takes: "absolute paths other than /, separated by colons",
    help: "Paths of the image to extract besides the usual ones",
  }),
  platform: row({
    env: "RUNNER_PLATFORM",
    schema: value.platform,
    takes: "os/architecture[/variant], such as linux/arm64/v8",
    help: "Platform to choose from an index (default: the host's)",
  }),
  maxSize: row({
    env: "RUNNER_MAX_SIZE",
    schema: value.size,
    takes: SIZE,
    default: "20GiB",
    help: "Most bytes an image may unpack to",
  }),
  maxEntries: row({
    env: "RUNNER_MAX_ENTRIES",
    schema: value.count,
    takes: "a whole number from 1",
    default: "2000000",
    help: "Most archive entries over all layers",
  }),
  maxPathLength: row({
    env: "RUNNER_MAX_PATH",
    schema: value.size,
    takes: SIZE,
    default: "4096",
    help: "Most bytes of one path or link target",
  }),
  maxPaxSize: row({
    env: "RUNNER_MAX_PAX",
    schema: value.size,
    takes: SIZE,
    default: "1MiB",
    help: "Most bytes of one PAX or GNU long-name record",
  }),
  maxManifestSize: row({
    env: "RUNNER_MAX_MANIFEST",
    schema: value.size,
    takes: SIZE,
    default: "4MiB",
    help: "Most bytes of an index or manifest",
  }),
  maxConfigSize: row({
    env: "RUNNER_MAX_CONFIG",
    schema: value.size,
    takes: SIZE,
    default: "8MiB",
    help: "Most bytes of an image config",
  }),
  stallTimeoutMs: row({
    env: "RUNNER_STALL_TIMEOUT",
    schema: value.duration,
    takes: DURATION,
    default: "30s",
    help: "A connection without a byte for this long is given up and tried again",
  }),
  pullTimeoutMs: row({
    env: "RUNNER_PULL_TIMEOUT",
    schema: value.duration,
    takes: DURATION,
    help: "Longest the whole pull may take (default: no limit)",
  }),
  mirrors: row({
    env: "RUNNER_MIRRORS",
    schema: value.mirrors,
    takes: "registry=URL pairs separated by commas, http or https, without a login in the URL",
    help: "Mirrors tried before a registry",
  }),
  caFile: row({
    env: "RUNNER_CA_FILE",
    schema: value.text,
    takes: "the path of a PEM file",
    help: "More certificate authorities to trust",
  }),
  insecureRegistries: row({
    env: "RUNNER_INSECURE_REGISTRIES",
    schema: value.registryList,
    takes: "host[:port], separated by commas",
    help: "Registries that may be spoken to over plain HTTP",
  }),
  user: row({
    env: "RUNNER_USER",
    schema: value.user,
    takes: "uid, uid:gid, name, name:group or image",
    default: "1000:1000",
    help: "User the server becomes when the runner is root",
  }),
  allowRoot: row({
    env: "RUNNER_ALLOW_ROOT",
    schema: value.toggle,
    takes: "1, 0, true or false",
    default: "0",
    help: "Let the server be root, though without capabilities",
    toggle: true,
  }),
  passEnv: row({
    env: "RUNNER_PASS_ENV",
    schema: value.passList,
    takes:
      "variable names separated by commas, * allowed at the end; never REGISTRY_*, RUNNER_*, DENO_*, LD_*",
    help: "More of the runner's own variables to pass on",
  }),
} as const;

export type SettingKey = keyof typeof TABLE;

/** `MCP_ENV_*` is a family of variables, so it has no row; these are its names and help. */
export const SERVER_ENV = {
  env: "MCP_ENV_",
  flag: "mcp-env",
  help: "Variable for the server: MCP_ENV_NAME=VALUE, --mcp-env-name VALUE or --mcp-env NAME=VALUE",
} as const;

/** The flag of a variable, without its dashes: `RUNNER_CA_FILE` is `ca-file`, `PORT` is `port`. */
export function flagName(env: string): string {
  return env.replace(/^RUNNER_/, "").toLowerCase().replaceAll("_", "-");
}

function oneOf(values: readonly string[]): string {
  return values.length === 1
    ? `${values[0]}`
    : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
