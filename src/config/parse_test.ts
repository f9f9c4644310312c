import { assertEquals } from "@std/assert/equals.js";
import { RunnerError } from "../errors.ts";
import { type Env, type Flags, parseSettings } from "./parse.ts";
import type { Settings } from "./settings.ts";

const OK: Env = { IMAGE: "ghcr.io/org/name:tag", PORT: "8000" };

const parse = (env: Env, values: Flags["values"] = {}) => parseSettings({ values }, env);

function violations(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof RunnerError && error.exit === 64) return error.message.split("\n");
    throw error;
  }
  return [];
}

Deno.test("defaults are those of the contract", () => {
  assertEquals(parse(OK), {
    image: "ghcr.io/org/name:tag",
    port: 8000,
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
  });
});

const ACCEPTED: readonly [string, Env, Partial<Settings>][] = [
  ["login", { REGISTRY_USER: "u", REGISTRY_PASSWORD: "p" }, {
    registryLogin: { user: "u", password: "p" },
  }],
  ["empty is unset", { RUNNER_USER: "", REGISTRY_USER: "", MCP_PATH: "" }, {
    user: "1000:1000",
    mcpPath: "/mcp",
  }],
  ["server env", { MCP_ENV_A: "1", MCP_ENV_b_2: "", PATH: "/bin" }, {
    serverEnv: { A: "1", b_2: "" },
  }],
  ["plain number is seconds", { RUNNER_STALL_TIMEOUT: "45" }, { stallTimeoutMs: 45_000 }],
  ["ms", { RUNNER_STALL_TIMEOUT: "250ms" }, { stallTimeoutMs: 250 }],
  ["minutes", { RUNNER_PULL_TIMEOUT: "2m" }, { pullTimeoutMs: 120_000 }],
  ["hours", { RUNNER_PULL_TIMEOUT: "1h" }, { pullTimeoutMs: 3_600_000 }],
  ["bytes", { RUNNER_MAX_SIZE: "1048576" }, { maxSize: 1_048_576 }],
  ["powers of 1000", { RUNNER_MAX_SIZE: "500MB" }, { maxSize: 500_000_000 }],
  ["powers of 1024", { RUNNER_MAX_SIZE: "2GiB" }, { maxSize: 2 ** 31 }],
  ["root", { RUNNER_ROOT: "/tmp//x/./y/" }, { root: "/tmp/x/y" }],
  ["paths", { RUNNER_PATHS: "/usr/src/app:/etc/x/" }, { paths: ["/usr/src/app", "/etc/x"] }],
  ["platform", { RUNNER_PLATFORM: "linux/arm64/v8" }, {
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
  }],
  ["mirrors", {
    RUNNER_MIRRORS: "docker.io=https://a,ghcr.io=http://b:5000/x/,docker.io=https://c",
  }, {
    mirrors: { "docker.io": ["https://a", "https://c"], "ghcr.io": ["http://b:5000/x"] },
  }],
  ["insecure", { RUNNER_INSECURE_REGISTRIES: "a:5000, [::1]:5000" }, {
    insecureRegistries: ["a:5000", "[::1]:5000"],
  }],
  ["allow root", { RUNNER_ALLOW_ROOT: "true" }, { allowRoot: true }],
  ["pass", { RUNNER_PASS_ENV: "HF_*,TOKEN,*" }, { passEnv: ["HF_*", "TOKEN", "*"] }],
  ["a CI platform's own", { RUNNER_OS: "Linux", RUNNER_TEMP: "/t", RUNNER_DEBUG: "1" }, {}],
];

Deno.test("accepted values", async (t) => {
  for (const [name, env, expected] of ACCEPTED) {
    await t.step(name, () => {
      const settings: Settings = parse({ ...OK, ...env });
      const got = Object.fromEntries(
        Object.entries(settings).filter(([key]) => Object.hasOwn(expected, key)),
      );
      assertEquals(got, expected);
    });
  }
});

const REFUSED: readonly [Env, string][] = [
  [
    { IMAGE: "ghcr.io/Org/x" },
    'IMAGE: image reference "ghcr.io/Org/x" is not valid: repository "Org/x" must be lower case',
  ],
  [
    { RUNNER_PLATFORM: "arm64" },
    'RUNNER_PLATFORM is "arm64": it takes os/architecture[/variant], such as linux/arm64/v8',
  ],
  ...["0", "65536", "8080x", "0x50", " 80", "８０", "-1", "1e3", "000080"].map((
    port,
  ): [Env, string] => [
    { PORT: port },
    `PORT is ${JSON.stringify(port)}: it takes a decimal number from 1 to 65535`,
  ]),
  [{ MCP_PATH: "mcp" }, `MCP_PATH is "mcp": it takes a path that begins with /`],
  [{ MCP_PATH: "/m cp" }, `MCP_PATH is "/m cp": it takes a path that begins with /`],
  [{ MCP_TRANSPORT: "stdio" }, `MCP_TRANSPORT is "stdio": it takes streamable-http or sse`],
  [{ LOG_LEVEL: "INFO" }, `LOG_LEVEL is "INFO": it takes debug, info, warn or error`],
  [
    { REGISTRY_USER: "u" },
    "REGISTRY_USER is set and REGISTRY_PASSWORD is not: give both or neither",
  ],
  [
    { REGISTRY_PASSWORD: "p" },
    "REGISTRY_PASSWORD is set and REGISTRY_USER is not: give both or neither",
  ],
  [{ "MCP_ENV_A-B": "x" }, `MCP_ENV_A-B names the variable "A-B": it takes letters, digits and _`],
  [{ MCP_ENV_: "x" }, `MCP_ENV_ names the variable "": it takes letters, digits and _`],
  [{ MCP_ENV_1A: "x" }, `MCP_ENV_1A names the variable "1A": it takes letters, digits and _`],
  [{ RUNNER_MODE: "rootfs" }, `RUNNER_MODE is "rootfs": it takes overlay`],
  [
    { RUNNER_COSIGN_KEY: "k" },
    "RUNNER_COSIGN_KEY is not a setting of this version: unset it, or see --help",
  ],
  [{ RUNNER_ROOT: "tmp" }, `RUNNER_ROOT is "tmp": it takes an absolute path`],
  [{ RUNNER_ROOT: "/a/../b" }, `RUNNER_ROOT is "/a/../b": it takes an absolute path`],
  [
    { RUNNER_PATHS: "/a:/" },
    `RUNNER_PATHS is "/a:/": it takes absolute paths other than /, separated by colons`,
  ],
  [
    { RUNNER_MIRRORS: "docker.io=https://user:hunter2@mirror" },
    `RUNNER_MIRRORS is "docker.io=https://***@mirror": it takes registry=URL pairs separated by ` +
    "commas, http or https, without a login in the URL",
  ],
  [
    { RUNNER_USER: "4294967295" },
    `RUNNER_USER is "4294967295": it takes uid, uid:gid, name, name:group or image`,
  ],
  [
    { RUNNER_PASS_ENV: "LD_PRELOAD" },
    `RUNNER_PASS_ENV is "LD_PRELOAD": it takes variable names separated by commas, * allowed at ` +
    "the end; never REGISTRY_*, RUNNER_*, DENO_*, LD_*",
  ],
  [
    { RUNNER_STALL_TIMEOUT: "0" },
    `RUNNER_STALL_TIMEOUT is "0": it takes seconds, or a number with a unit (500ms, 30s, 2m, 1h)`,
  ],
  [{ RUNNER_ALLOW_ROOT: "yes" }, `RUNNER_ALLOW_ROOT is "yes": it takes 1, 0, true or false`],
];

Deno.test("refused values, a line each", async (t) => {
  for (const [env, line] of REFUSED) {
    await t.step(line, () => assertEquals(violations(() => parse({ ...OK, ...env })), [line]));
  }
});

Deno.test("every violation at once, required settings among them", () => {
  const env = { MCP_PATH: "x", LOG_FORMAT: "xml", REGISTRY_USER: "u" };
  assertEquals(violations(() => parseSettings({ values: {} }, env, ["image", "port"])), [
    "IMAGE (--image) is not set: it takes an image reference, such as ghcr.io/org/name:tag",
    "PORT (--port) is not set: it takes a decimal number from 1 to 65535",
    `MCP_PATH is "x": it takes a path that begins with /`,
    `LOG_FORMAT is "xml": it takes text or json`,
    "REGISTRY_USER is set and REGISTRY_PASSWORD is not: give both or neither",
  ]);
});

Deno.test("a flag beats its variable and is named in its violation", () => {
  assertEquals(parse({ ...OK, PORT: "99999" }, { port: ["81"] }).port, 81);
  assertEquals(violations(() => parse(OK, { port: ["x"] })), [
    `--port is "x": it takes a decimal number from 1 to 65535`,
  ]);
  assertEquals(violations(() => parse(OK, { port: ["1", "2"] })), [
    `--port is given more than once, as "1" and "2": give it once`,
  ]);
  assertEquals(
    parse({ ...OK, MCP_ENV_A: "env" }, { "mcp-env": ["A=flag", "b=x=y"], "mcp-env-api-key": ["k"] })
      .serverEnv,
    { A: "flag", b: "x=y", API_KEY: "k" },
  );
});

Deno.test("no violation shows a secret", () => {
  const lines = violations(() =>
    parse({
      ...OK,
      IMAGE: "https://user:hunter2@x/y",
      REGISTRY_PASSWORD: "hunter2\0",
      "MCP_ENV_-": "hunter2",
    }, {
      "mcp-env": ["hunter2", "-=hunter2"],
    })
  );
  assertEquals(lines.length, 6);
  assertEquals(lines.join().includes("hunter2"), false);
});
