/** Images and settings that cannot become a server: one line each, and the contract's status. */
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { type ConfigInput, writeLayout } from "./registry/layout.ts";
import { tar } from "./registry/tar.ts";
import { run } from "./runner.ts";

/** The header of an ELF program for a machine that is neither of ours. */
function foreignElf(): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes[18] = 243; // RISC-V
  return bytes;
}

const FILES = [
  { path: "app" },
  { path: "app/nope", content: "#!/opt/nope/bin/python3.99\n", mode: 0o755 },
  { path: "app/env", content: "#!/usr/bin/env no-such-program\n", mode: 0o755 },
  { path: "app/crlf", content: "#!/bin/sh\r\necho\r\n", mode: 0o755 },
  { path: "app/riscv", content: foreignElf(), mode: 0o755 },
  { path: "app/text", content: "echo hello\n", mode: 0o755 },
  { path: "app/plain", content: "#!/bin/sh\n", mode: 0o644 },
  { path: "app/ok", content: "#!/bin/sh\nexit 9\n", mode: 0o755 },
  { path: "app/.venv" },
  { path: "app/.venv/pyvenv.cfg", content: "home = /usr/local/bin\nversion = 3.99.1\n" },
  { path: "app/.venv/bin" },
  { path: "app/.venv/bin/python", link: "/usr/local/bin/python3.99" },
  { path: "app/.venv/bin/serve", content: "#!/app/.venv/bin/python\n", mode: 0o755 },
];

interface Failure {
  readonly name: string;
  readonly config: ConfigInput;
  readonly env?: Readonly<Record<string, string>>;
  readonly exit: number;
  readonly says: RegExp;
  /** Only where the runner is root. */
  readonly root?: true;
}

const cmd = (...Cmd: string[]): ConfigInput => ({ Cmd });

const FAILURES: readonly Failure[] = [
  { name: "none", config: cmd("/app/ok"), exit: 9, says: /^$/ },
  {
    name: "a missing interpreter",
    config: cmd("/app/nope"),
    exit: 127,
    says: /names the interpreter "\/opt\/nope\/bin\/python3\.99", which this system does not have/,
  },
  {
    name: "a missing interpreter behind env",
    config: cmd("/app/env"),
    exit: 127,
    says: /asks for "no-such-program", which is nowhere on the server's PATH/,
  },
  { name: "carriage returns", config: cmd("/app/crlf"), exit: 127, says: /Unix line ends/ },
  { name: "another machine", config: cmd("/app/riscv"), exit: 126, says: /built for riscv64/ },
  { name: "no program", config: cmd("/app/text"), exit: 126, says: /neither an ELF program nor/ },
  { name: "no permission", config: cmd("/app/plain"), exit: 126, says: /no execute permission/ },
  {
    name: "no such file",
    config: cmd("/usr/lib/x/y"),
    exit: 127,
    says: /no such file.*RUNNER_PATHS/,
  },
  { name: "not on PATH", config: cmd("no-such-program"), exit: 127, says: /nowhere on the server/ },
  {
    name: "no such directory",
    config: { ...cmd("/app/ok"), WorkingDir: "/usr/src/app" },
    exit: 127,
    says: /working directory "\/usr\/src\/app": it is not there.*RUNNER_PATHS/,
  },
  {
    name: "a venv of a Python that is not here",
    config: cmd("/app/.venv/bin/serve"),
    exit: 127,
    says:
      /made with Python 3\.99 at "\/usr\/local\/bin\/python3\.99"; this system has .*use a base/,
  },
  {
    name: "root",
    config: cmd("/app/ok"),
    env: { RUNNER_USER: "0:0" },
    exit: 64,
    says: /RUNNER_USER "0:0": that is root: .*RUNNER_ALLOW_ROOT=1/,
    root: true,
  },
  {
    name: "the image's root",
    config: cmd("/app/ok"),
    env: { RUNNER_USER: "image" },
    exit: 64,
    says: /the image's user "0:0": that is root/,
    root: true,
  },
  {
    name: "a user that the image does not know",
    config: cmd("/app/ok"),
    env: { RUNNER_USER: "nobody" },
    exit: 64,
    says: /the image's \/etc\/passwd has no user "nobody": set RUNNER_USER to uid:gid/,
    root: true,
  },
];

Deno.test("what cannot become a server is told in one line", async (t) => {
  const work = await Deno.makeTempDir({ prefix: "errors-" });
  await Deno.chmod(work, 0o755);
  const layer = tar(FILES);
  for (const [i, failure] of FAILURES.entries()) {
    const ignore = failure.root === true && Deno.uid() !== 0;
    await t.step({
      name: failure.name,
      ignore,
      fn: async () => {
        const layout = `${work}/layout${i}`;
        await writeLayout(layout, {
          tag: "latest",
          layers: [{ tar: layer }],
          config: failure.config,
        });
        const { code, stderr } = await run([], {
          env: {
            IMAGE: `oci:${layout}`,
            PORT: "3901",
            RUNNER_ROOT: `${work}/root${i}`,
            ...failure.env,
          },
        });
        assertEquals(code, failure.exit, stderr);
        const errors = stderr.split("\n").filter((line) => line.includes("[ERROR]"));
        assertEquals(errors.length, failure.exit === 9 ? 0 : 1, stderr);
        assertMatch(errors.join(), failure.says);
      },
    });
  }
  await Deno.remove(work, { recursive: true });
});

Deno.test("a dry run prints the plan and writes nothing", async () => {
  const work = await Deno.makeTempDir({ prefix: "dry-" });
  try {
    await writeLayout(`${work}/layout`, {
      tag: "latest",
      layers: [{ tar: tar(FILES) }],
      config: { Entrypoint: ["/app/ok"], Cmd: ["x"], WorkingDir: "/app", Env: ["A=1"] },
    });
    const env = {
      IMAGE: `oci:${work}/layout`,
      PORT: "3901",
      RUNNER_ROOT: `${work}/root`,
      MCP_ENV_TOKEN: "hunter2",
      LOG_LEVEL: "warn",
    };
    const { code, stdout, stderr } = await run(["--dry-run", "--json"], { env });
    assertEquals([code, stderr], [0, ""]);
    const plan = JSON.parse(stdout);
    assertEquals(plan.argv, ["/app/ok", "x"]);
    assertEquals(plan.cwd, `${work}/root/app`);
    assertEquals([plan.env.A, plan.env.TOKEN, plan.env.PORT], ["1", "***", "3901"]);
    const text = await run(["--dry-run"], { env });
    assertMatch(text.stdout, /^program {4}\/app\/ok$/m);
    assertMatch(text.stdout, /^variable {3}TOKEN=\*\*\*$/m);
    assertEquals([...Deno.readDirSync(work)].map(({ name }) => name), ["layout"]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
