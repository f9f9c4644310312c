import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { parseSettings } from "../config/parse.ts";
import { RunnerError } from "../errors.ts";
import type { ImageConfig } from "../image/types.ts";
import { fakeFacts, type Tree } from "./fake_facts.ts";
import { type ExecPlan, planExec } from "./plan.ts";

const EMPTY: ImageConfig = {
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: undefined,
  user: undefined,
};

const FILE = {};
const HOST: Tree = {
  "/usr/bin/node": FILE,
  "/usr/bin/data": { mode: 0o644 },
  "/bin/sh": FILE,
  "/tmp": "dir",
};

interface Case {
  readonly config: Partial<ImageConfig>;
  readonly tree?: Tree;
  readonly root?: string;
  readonly args?: readonly string[];
}

function plan({ config, tree = {}, root = "/", args }: Case, extracted = true): ExecPlan {
  const env = { PORT: "80", RUNNER_ROOT: root };
  return planExec({
    settings: parseSettings({ values: {}, args }, env),
    config: { ...EMPTY, ...config },
    outer: env,
    user: { uid: 1000, gid: 1000, groups: [1000], home: undefined },
    self: { uid: 0, gid: 0 },
    facts: fakeFacts({ ...HOST, ...tree }),
    extracted,
  });
}

const R = "/tmp/r";
const script = (line: string) => ({ text: `${line}\n` });

const PLANS: readonly [string, Case, Partial<ExecPlan>][] = [
  ["Entrypoint + Cmd", { config: { entrypoint: ["node", "a"], cmd: ["b c"] } }, {
    file: "/usr/bin/node",
    argv: ["node", "a", "b c"],
    cwd: "/",
  }],
  ["Cmd alone", { config: { cmd: ["node"] } }, { argv: ["node"] }],
  ["-- replaces Cmd", { config: { entrypoint: ["node"], cmd: ["b"] }, args: ["x", "y"] }, {
    argv: ["node", "x", "y"],
  }],
  ["-- with nothing empties Cmd", { config: { entrypoint: ["node"], cmd: ["b"] }, args: [] }, {
    argv: ["node"],
  }],
  ...["/entrypoint.sh", "entrypoint.sh", "/start.sh", "/init.sh"].map((
    entrypoint,
  ): [string, Case, Partial<ExecPlan>] => [
    `${entrypoint} gives way to Cmd`,
    { config: { entrypoint: [entrypoint, "-x"], cmd: ["node", "b"] } },
    { argv: ["node", "b"] },
  ]),
  [
    "a conflicting entrypoint without Cmd stays",
    { config: { entrypoint: ["/start.sh"] }, tree: { "/start.sh": FILE } },
    { file: "/start.sh", argv: ["/start.sh"] },
  ],
  [
    "another entrypoint.sh stays",
    {
      config: { entrypoint: ["/app/entrypoint.sh"], cmd: ["node"] },
      tree: { "/app/entrypoint.sh": FILE },
    },
    { argv: ["/app/entrypoint.sh", "node"] },
  ],
  ["nothing passes through a shell", { config: { cmd: ["node", "$HOME; *", ""] } }, {
    argv: ["node", "$HOME; *", ""],
  }],
  ["WorkingDir", { config: { cmd: ["node"], workingDir: "/srv/x/" }, tree: { "/srv/x": "dir" } }, {
    cwd: "/srv/x",
  }],
  ["/app if it exists", { config: { cmd: ["node"] }, tree: { "/app": "dir" } }, { cwd: "/app" }],
  [
    "a program relative to the directory",
    { config: { cmd: ["./run"], workingDir: "/app" }, tree: { "/app/run": FILE } },
    { file: "/app/run", argv: ["./run"] },
  ],
  [
    "the first on PATH that can be executed",
    {
      config: { cmd: ["data"], env: ["PATH=/usr/bin:/opt/bin"] },
      tree: { "/opt/bin/data": FILE },
    },
    { file: "/opt/bin/data" },
  ],
  [
    "another root: directory, arguments and PATH are mapped where they exist there",
    {
      root: R,
      config: {
        entrypoint: ["tool"],
        cmd: ["/app/main.js", "/etc/hosts", "app/x", "--f=/app/main.js", "/app/../app/main.js"],
        env: ["PATH=/app/bin:/usr/bin"],
        workingDir: "/app",
      },
      tree: { [`${R}/app/main.js`]: FILE, [`${R}/app/bin/tool`]: FILE, "/app/bin/tool": FILE },
    },
    {
      file: `${R}/app/bin/tool`,
      argv: [
        `${R}/app/bin/tool`,
        `${R}/app/main.js`,
        "/etc/hosts",
        "app/x",
        "--f=/app/main.js",
        `${R}/app/main.js`,
      ],
      cwd: `${R}/app`,
    },
  ],
  [
    "another root: the host's program where the image has none",
    { root: R, config: { cmd: ["node"] }, tree: { [`${R}/app`]: "dir" } },
    { file: "/usr/bin/node", cwd: `${R}/app` },
  ],
  [
    "another root: the image's interpreter of the image's script",
    {
      root: R,
      config: { cmd: ["/app/bin/serve", "x"] },
      tree: {
        [`${R}/app/bin/serve`]: script("#! /app/bin/python -u"),
        [`${R}/app/bin/python`]: FILE,
      },
    },
    {
      file: `${R}/app/bin/python`,
      argv: [`${R}/app/bin/python`, "-u", `${R}/app/bin/serve`, "x"],
    },
  ],
  [
    "another root: the host's interpreter is the kernel's business",
    {
      root: R,
      config: { cmd: ["/app/serve"] },
      tree: { [`${R}/app/serve`]: script("#!/bin/sh") },
    },
    { file: `${R}/app/serve`, argv: [`${R}/app/serve`] },
  ],
];

Deno.test("what runs, and where", async (t) => {
  for (const [name, input, expected] of PLANS) {
    await t.step(name, () => {
      const got = Object.entries(plan(input)).filter(([key]) => Object.hasOwn(expected, key));
      assertEquals(Object.fromEntries(got), expected);
    });
  }
});

const REFUSED: readonly [string, Case, number, string][] = [
  ["no command", { config: {} }, 65, "the image has no command"],
  ["an empty program", { config: { cmd: [""] } }, 65, "the image has no command"],
  ["NUL", { config: { cmd: ["node", "a\0"] } }, 65, "holds a NUL byte"],
  ["not on PATH", { config: { cmd: ["uvx"] } }, 127, `cannot start "uvx": it is nowhere on`],
  ["no such file", { config: { cmd: ["/app/x"] } }, 127, `cannot start "/app/x": no such file`],
  [
    "a directory",
    { config: { cmd: ["/app"] }, tree: { "/app": "dir" } },
    126,
    `cannot start "/app": it is a directory`,
  ],
  [
    "not executable",
    { config: { cmd: ["/app/x"] }, tree: { "/app/x": { mode: 0o644 } } },
    126,
    "it has no execute permission",
  ],
  ["not executable on PATH", { config: { cmd: ["data"] } }, 126, "it has no execute permission"],
  [
    "no such directory",
    { config: { cmd: ["node"], workingDir: "/usr/src/app" } },
    127,
    `cannot enter the image's working directory "/usr/src/app"`,
  ],
];

Deno.test("what cannot run is refused with its status", async (t) => {
  for (const [name, input, exit, message] of REFUSED) {
    await t.step(name, () => {
      const error = assertThrows(() => plan(input), RunnerError, message);
      assertEquals(error instanceof RunnerError && error.exit, exit);
    });
  }
});

Deno.test("before the files are there, what is missing is a warning", () => {
  const { file, cwd, warnings } = plan(
    { config: { cmd: ["/app/x"], workingDir: "/app" }, root: R },
    false,
  );
  assertEquals([file, cwd], ["/app/x", `${R}/app`]);
  assertEquals(warnings, [
    `the working directory "/app" is not on disk yet`,
    `the program "/app/x" is not on disk yet`,
  ]);
});
