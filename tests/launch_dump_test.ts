/** A table of settings against what the server is given, told by the server itself. */
import { assertEquals } from "@std/assert/equals.js";
import { compileDump, Dump, dumpLayout, limitOf, statusField } from "./launch/dump.ts";
import { type PortableRunner, portableRunner } from "./launch/portable.ts";
import { peerTest, rootTest } from "./peers.ts";
import { execute } from "./programs.ts";
import type { ConfigInput } from "./registry/layout.ts";

const NONE = "0".repeat(16);
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the runner itself adds to every server's environment. */
const OWN_ENV = {
  PATH,
  HOME: "/tmp",
  PORT: "3901",
  HOST: "0.0.0.0",
  MCP_TRANSPORT: "streamable-http",
  MCP_PATH: "/mcp",
  FASTMCP_HOST: "0.0.0.0",
  FASTMCP_PORT: "3901",
  FASTMCP_TRANSPORT: "http",
  FASTMCP_STREAMABLE_HTTP_PATH: "/mcp",
  FASTMCP_LOG_LEVEL: "INFO",
};

interface Row {
  readonly name: string;
  readonly config?: ConfigInput;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** What differs from the plainest row. `R` in texts stands for the root. */
  readonly expect?: Partial<Dump>;
  readonly expectEnv?: Readonly<Record<string, string | undefined>>;
  /** Only as root: as a plain user the setting has no effect. */
  readonly root?: true;
}

const ids = (uid: number, gid: number, groups = [gid]) => ({
  uid: [uid, uid, uid],
  gid: [gid, gid, gid],
  groups,
});

const ROWS: readonly Row[] = [
  { name: "nothing but IMAGE and PORT" },
  {
    name: "Entrypoint, Cmd, WorkingDir and Env of the image",
    config: {
      Entrypoint: ["/app/bin/dump", "a b"],
      Cmd: ["/app/data.txt", "/etc/hostname"],
      WorkingDir: "/app/bin",
      Env: ["A=1", "PORT=1", "HOME=/srv", "broken"],
    },
    expect: {
      argv: ["R/app/bin/dump", "a b", "R/app/data.txt", "/etc/hostname"],
      cwd: "R/app/bin",
    },
    expectEnv: { A: "1", HOME: "/srv" },
  },
  {
    name: "arguments after --",
    config: { Entrypoint: ["/app/bin/dump"], Cmd: ["gone"] },
    args: ["--", "--port", "$HOME"],
    expect: { argv: ["R/app/bin/dump", "--port", "$HOME"] },
  },
  {
    name: "a program on the image's PATH, behind a conflicting entrypoint",
    config: { Entrypoint: ["/entrypoint.sh"], Cmd: ["dump", "x"], Env: ["PATH=/app/bin:/usr/bin"] },
    expect: { argv: ["R/app/bin/dump", "x"] },
    expectEnv: { PATH: "/app/bin:/usr/bin" },
  },
  {
    name: "secrets, MCP_ENV_*, platform facts, RUNNER_PASS_ENV, and the rest of the environment",
    env: {
      REGISTRY_USER: "user",
      REGISTRY_PASSWORD: "hunter2",
      DOCKER_AUTH_CONFIG: "{}",
      MCP_ENV_API_KEY: "key",
      SPACE_ID: "org/space",
      SPACE_HOST: "org-space.hf.space",
      TZ: "UTC",
      RUNNER_PASS_ENV: "HF_*",
      HF_TOKEN: "token",
      NODE_OPTIONS: "--inspect",
      LD_BIND_NOW: "1",
      MCP_TRANSPORT: "sse",
      MCP_PATH: "/sse",
      LOG_LEVEL: "debug",
    },
    expectEnv: {
      API_KEY: "key",
      SPACE_ID: "org/space",
      SPACE_HOST: "org-space.hf.space",
      FASTMCP_HTTP_ALLOWED_HOSTS: '["org-space.hf.space"]',
      TZ: "UTC",
      HF_TOKEN: "token",
      MCP_TRANSPORT: "sse",
      MCP_PATH: "/sse",
      FASTMCP_TRANSPORT: "sse",
      FASTMCP_SSE_PATH: "/sse",
      FASTMCP_STREAMABLE_HTTP_PATH: undefined,
      FASTMCP_LOG_LEVEL: "DEBUG",
    },
  },
  {
    name: "RUNNER_USER=uid:gid",
    root: true,
    env: { RUNNER_USER: "1234:5678" },
    expect: ids(1234, 5678),
  },
  { name: "RUNNER_USER=uid", root: true, env: { RUNNER_USER: "1234" }, expect: ids(1234, 1234) },
  {
    name: "RUNNER_USER=name, of the image's own passwd and group",
    root: true,
    env: { RUNNER_USER: "app" },
    expect: ids(1001, 1002, [44, 1002]),
    expectEnv: { HOME: "R/home/app" },
  },
  {
    name: "RUNNER_USER=name:group",
    root: true,
    env: { RUNNER_USER: "app:extra" },
    expect: ids(1001, 44),
    expectEnv: { HOME: "R/home/app" },
  },
  {
    name: "RUNNER_USER=image",
    root: true,
    config: { Entrypoint: ["/app/bin/dump"], User: "app" },
    env: { RUNNER_USER: "image" },
    expect: ids(1001, 1002, [44, 1002]),
    expectEnv: { HOME: "R/home/app" },
  },
  {
    name: "RUNNER_ALLOW_ROOT=1: root, without capabilities",
    root: true,
    env: { RUNNER_USER: "0:0", RUNNER_ALLOW_ROOT: "1" },
    expect: ids(0, 0),
    expectEnv: { HOME: "/root" },
  },
];

interface As {
  readonly uid: number;
  readonly gid: number;
  readonly runner: PortableRunner;
  readonly program: string;
}

/** Runs one row and compares everything it was given. */
async function check(row: Row, { uid, gid, runner, program }: As): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "dump-" });
  const root = `${work}/root`;
  try {
    const image = await dumpLayout(
      `${work}/layout`,
      program,
      row.config ?? { Entrypoint: ["/app/bin/dump"] },
    );
    await Deno.chmod(work, 0o755);
    await Deno.mkdir(root);
    await Deno.chown(root, uid, gid);
    const env = { IMAGE: image, PORT: "3901", RUNNER_ROOT: root, HOME: "/nonexistent", ...row.env };
    // A shell stands between, for its limit on open files is what the runner is to hand on.
    const [program_, ...before] = runner.command;
    const shell = ["-c", 'ulimit -S -n 512; "$@"; exit $?', "sh"];
    const become = uid === Deno.uid()
      ? []
      : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    const [first, ...rest] = [
      ...become,
      "/bin/sh",
      ...shell,
      program_,
      ...before,
      ...row.args ?? [],
    ];
    const { code, stdout, stderr } = await execute(first ?? "", rest, {
      env: { PATH: Deno.env.get("PATH") ?? "", ...runner.env, ...env },
      clearEnv: true,
      cwd: "/",
    });
    assertEquals(code, 0, stderr);
    const { pid: _pid, PPid: _parent, env: given, ...dump } = Dump.parse(
      JSON.parse(stdout.replaceAll(root, "R")),
    );
    const wanted = { ...OWN_ENV, ...row.expectEnv };
    assertEquals(
      given.toSorted(),
      Object.entries(wanted).filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${value}`).toSorted(),
    );
    const asRoot = uid === 0;
    assertEquals<unknown>(dump, {
      argv: ["R/app/bin/dump"],
      cwd: "R/app",
      exe: "R/app/bin/dump",
      ...(asRoot ? ids(1000, 1000) : ids(uid, gid, [])),
      umask: "0022",
      securebits: asRoot ? 0xef : 0,
      dumpable: 1,
      Threads: "1",
      SigBlk: NONE,
      SigIgn: NONE,
      SigCgt: NONE,
      CapInh: NONE,
      CapPrm: NONE,
      CapEff: NONE,
      CapBnd: asRoot ? NONE : statusField("CapBnd"),
      CapAmb: NONE,
      NoNewPrivs: "1",
      descriptors: [0, 1, 2],
      notDefault: [],
      scheduling: 0,
      nofile: ["512", limitOf("open files")[1]],
      core: limitOf("core file size"),
      ...row.expect,
    });
    assertEquals(`${stdout}${stderr}`.includes("hunter2"), false);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function table(t: Deno.TestContext, uid: number, gid: number, rows: readonly Row[]) {
  const dir = await Deno.makeTempDir({ prefix: "portable-" });
  try {
    await Deno.chmod(dir, 0o755);
    const program = await compileDump(dir);
    const runner = await portableRunner(dir);
    for (const row of rows) {
      await t.step(row.name, () => check(row, { uid, gid, runner, program }));
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

rootTest("what the server is given, where the runner is root", ["cc"], (t) => table(t, 0, 0, ROWS));

const PLAIN = ROWS.filter((row) => !row.root);

if (Deno.uid() === 0) {
  rootTest(
    "what the server is given, where the runner is a plain user",
    ["cc", "setpriv"],
    (t) => table(t, 4321, 4322, PLAIN),
  );
} else {
  peerTest(
    "what the server is given, where the runner is this user",
    ["cc"],
    (t) => table(t, Deno.uid() ?? 0, Deno.gid() ?? 0, PLAIN),
  );
}
