import { NEVER_PASSED } from "../config/values.ts";
import type { Settings } from "../config/settings.ts";

/** What Docker sets where an image has no `PATH`. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** FastMCP spells the levels as Python's logging does. */
const FASTMCP_LEVEL = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" } as const;

export interface EnvironmentInput {
  readonly settings: Settings;
  /** `Env` of the image config. */
  readonly imageEnv: readonly string[];
  /** The runner's own environment. */
  readonly outer: Readonly<Record<string, string>>;
  /** Used where nothing sets `HOME`. */
  readonly home: string;
}

/**
 * The server's environment (contract section 3). Later wins: platform facts, the image's `Env`, what
 * `RUNNER_PASS_ENV` lets through, `MCP_ENV_*`, the runner's own. FastMCP's names for the runner's own
 * are set unless the image or `MCP_ENV_*` set them.
 */
export function serverEnvironment(
  input: EnvironmentInput,
): { readonly env: Readonly<Record<string, string>>; readonly warnings: readonly string[] } {
  const { settings, outer } = input;
  const { image, warnings } = parseImageEnv(input.imageEnv);
  const given = { ...image, ...passed(outer, settings.passEnv), ...settings.serverEnv };
  return {
    env: {
      PATH: DEFAULT_PATH,
      HOME: input.home,
      ...platformFacts(outer),
      ...fastmcpNames(settings, outer),
      ...given,
      PORT: String(settings.port),
      HOST: settings.mcpHost,
      MCP_TRANSPORT: settings.mcpTransport,
      MCP_PATH: settings.mcpPath,
    },
    warnings,
  };
}

function parseImageEnv(entries: readonly string[]) {
  const image: Record<string, string> = {};
  const warnings: string[] = [];
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at > 0 && !entry.includes("\0")) image[entry.slice(0, at)] = entry.slice(at + 1);
    // The value may be a secret; the part before the "=" names the entry well enough.
    else {
      const name = JSON.stringify((at < 0 ? entry : entry.slice(0, at)).slice(0, 60));
      warnings.push(`dropped an entry of the image's Env that is not NAME=value: ${name}`);
    }
  }
  return { image, warnings };
}

function platformFacts(outer: Readonly<Record<string, string>>): Record<string, string> {
  return pick(outer, (name) => name.startsWith("SPACE_") || name === "TZ" || name === "LANG");
}

/** `PATH` and `HOME` describe this system, not the image: no pattern means them, only their names. */
function passed(
  outer: Readonly<Record<string, string>>,
  patterns: readonly string[],
): Record<string, string> {
  return pick(
    outer,
    (name) =>
      patterns.some((pattern) =>
        pattern.endsWith("*")
          ? name.startsWith(pattern.slice(0, -1)) && name !== "PATH" && name !== "HOME"
          : name === pattern
      ),
  );
}

function pick(
  outer: Readonly<Record<string, string>>,
  wanted: (name: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(outer).filter(([name]) => wanted(name) && !NEVER_PASSED.test(name)),
  );
}

function fastmcpNames(
  settings: Settings,
  outer: Readonly<Record<string, string>>,
): Record<string, string> {
  const sse = settings.mcpTransport === "sse";
  const space = outer["SPACE_HOST"];
  return {
    FASTMCP_HOST: settings.mcpHost,
    FASTMCP_PORT: String(settings.port),
    FASTMCP_TRANSPORT: sse ? "sse" : "http",
    [sse ? "FASTMCP_SSE_PATH" : "FASTMCP_STREAMABLE_HTTP_PATH"]: settings.mcpPath,
    FASTMCP_LOG_LEVEL: FASTMCP_LEVEL[settings.logLevel],
    ...(space ? { FASTMCP_HTTP_ALLOWED_HOSTS: JSON.stringify(space.split(",")) } : {}),
  };
}
