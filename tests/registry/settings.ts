import type { Settings } from "../../src/config/settings.ts";

/** Settings with the defaults of contract section 2 and what a test changes. */
export function testSettings(changes: Partial<Settings> = {}): Settings {
  return {
    image: undefined,
    port: undefined,
    registryLogin: undefined,
    mcpTransport: "streamable-http",
    mcpHost: "0.0.0.0",
    mcpPath: "/mcp",
    healthcheckPath: "/health",
    logLevel: "info",
    logFormat: "text",
    serverEnv: {},
    root: "/",
    paths: [],
    platform: undefined,
    maxSize: 20 * 2 ** 30,
    maxEntries: 2_000_000,
    maxPathLength: 4096,
    maxPaxSize: 2 ** 20,
    maxManifestSize: 4 * 2 ** 20,
    maxConfigSize: 8 * 2 ** 20,
    stallTimeoutMs: 30_000,
    pullTimeoutMs: undefined,
    mirrors: {},
    caFile: undefined,
    insecureRegistries: [],
    user: "1000:1000",
    allowRoot: false,
    passEnv: [],
    args: undefined,
    ...changes,
  };
}
