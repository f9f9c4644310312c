import { assertEquals } from "@std/assert/equals.js";
import { parseSettings } from "../config/parse.ts";
import { DEFAULT_PATH, serverEnvironment } from "./environment.ts";

const FIXED = {
  PATH: DEFAULT_PATH,
  HOME: "/home/app",
  PORT: "8000",
  HOST: "0.0.0.0",
  MCP_TRANSPORT: "streamable-http",
  MCP_PATH: "/mcp",
  FASTMCP_HOST: "0.0.0.0",
  FASTMCP_PORT: "8000",
  FASTMCP_TRANSPORT: "http",
  FASTMCP_STREAMABLE_HTTP_PATH: "/mcp",
  FASTMCP_LOG_LEVEL: "INFO",
};

function environment(outer: Record<string, string>, imageEnv: string[] = []) {
  const given = { PORT: "8000", ...outer };
  const settings = parseSettings({ values: {} }, given);
  return serverEnvironment({ settings, imageEnv, outer: given, home: "/home/app" });
}

type Row = readonly [
  name: string,
  outer: Record<string, string>,
  image: string[],
  expected: Record<string, string | undefined>,
];

/** What differs from {@linkcode FIXED}; undefined for what is not there. */
const ROWS: readonly Row[] = [
  ["nothing given", {}, [], {}],
  ["the image's variables", {}, ["A=1", "B=x=y", "npm_config.x=1", "E="], {
    A: "1",
    B: "x=y",
    "npm_config.x": "1",
    E: "",
  }],
  ["the image's PATH and HOME", {}, ["PATH=/app/bin", "HOME=/srv"], {
    PATH: "/app/bin",
    HOME: "/srv",
  }],
  ["MCP_ENV_ beats the image", { MCP_ENV_A: "2" }, ["A=1"], { A: "2" }],
  [
    "the runner beats both",
    { MCP_ENV_PORT: "1", MCP_ENV_HOST: "x" },
    ["PORT=2", "MCP_PATH=/q"],
    {},
  ],
  [
    "the runner's settings",
    {
      MCP_TRANSPORT: "sse",
      MCP_HOST: "127.0.0.1",
      MCP_PATH: "/sse",
      LOG_LEVEL: "warn",
    },
    [],
    {
      MCP_TRANSPORT: "sse",
      HOST: "127.0.0.1",
      MCP_PATH: "/sse",
      FASTMCP_HOST: "127.0.0.1",
      FASTMCP_TRANSPORT: "sse",
      FASTMCP_SSE_PATH: "/sse",
      FASTMCP_STREAMABLE_HTTP_PATH: undefined,
      FASTMCP_LOG_LEVEL: "WARNING",
    },
  ],
  ["FastMCP's names are the image's if it sets them", { MCP_ENV_FASTMCP_LOG_LEVEL: "DEBUG" }, [
    "FASTMCP_HOST=::",
  ], { FASTMCP_HOST: "::", FASTMCP_LOG_LEVEL: "DEBUG" }],
  ["a Space's host", { SPACE_HOST: "a-b.hf.space", SPACE_ID: "a/b" }, [], {
    SPACE_HOST: "a-b.hf.space",
    SPACE_ID: "a/b",
    FASTMCP_HTTP_ALLOWED_HOSTS: '["a-b.hf.space"]',
  }],
  ["platform facts give way to the image", { TZ: "UTC", LANG: "C" }, ["LANG=de_DE.UTF-8"], {
    TZ: "UTC",
    LANG: "de_DE.UTF-8",
  }],
  [
    "nothing else of the runner's",
    {
      FOO: "1",
      LC_ALL: "C",
      REGISTRY_USER: "u",
      REGISTRY_PASSWORD: "p",
      DENO_DIR: "/d",
      LD_PRELOAD: "/x.so",
      DOCKER_AUTH_CONFIG: "{}",
      HTTP_PROXY: "http://p",
    },
    [],
    {},
  ],
  ["RUNNER_PASS_ENV", { RUNNER_PASS_ENV: "FOO,HF_*", FOO: "1", HF_A: "2", HFX: "3" }, ["FOO=0"], {
    FOO: "1",
    HF_A: "2",
  }],
  ["MCP_ENV_ beats RUNNER_PASS_ENV", { RUNNER_PASS_ENV: "FOO", FOO: "1", MCP_ENV_FOO: "2" }, [], {
    FOO: "2",
  }],
  [
    "RUNNER_PASS_ENV=* lets no secret through",
    {
      RUNNER_PASS_ENV: "*",
      FOO: "1",
      PATH: "/outer",
      HOME: "/outer",
      REGISTRY_USER: "u",
      REGISTRY_PASSWORD: "p",
      DENO_DIR: "/d",
      LD_PRELOAD: "/x.so",
      DOCKER_AUTH_CONFIG: "{}",
      MCP_ENV_A: "1",
    },
    [],
    { FOO: "1", A: "1" },
  ],
  ["the image's own LD_LIBRARY_PATH is the image's", {}, ["LD_LIBRARY_PATH=/app/lib"], {
    LD_LIBRARY_PATH: "/app/lib",
  }],
];

Deno.test("the server's environment", async (t) => {
  for (const [name, outer, image, expected] of ROWS) {
    await t.step(name, () => {
      const wanted = Object.entries({ ...FIXED, ...expected });
      assertEquals(
        environment(outer, image).env,
        Object.fromEntries(wanted.filter(([, value]) => value !== undefined)),
      );
    });
  }
});

Deno.test("malformed entries of the image are dropped with a warning, without their value", () => {
  const { env, warnings } = environment({}, ["NOEQUALS", "=v", "A\0B=secret", "OK=1"]);
  assertEquals(env, { ...FIXED, OK: "1" });
  assertEquals(warnings, [
    `dropped an entry of the image's Env that is not NAME=value: "NOEQUALS"`,
    `dropped an entry of the image's Env that is not NAME=value: ""`,
    `dropped an entry of the image's Env that is not NAME=value: "A\\u0000B"`,
  ]);
});
