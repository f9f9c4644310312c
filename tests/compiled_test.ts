import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { compiled, COMPILER, runAlone } from "./compiled.ts";
import { dumpImage } from "./e2e_images.ts";
import { openHub } from "./e2e_hub.ts";
import { peerTest } from "./peers.ts";
import { execute, firstLine, succeed } from "./programs.ts";
import { assertQuick, promised } from "./quick.ts";
import { listTree } from "./tree.ts";

peerTest(
  "the executable is static, and as hard as it can be",
  [...COMPILER, "readelf"],
  async () => {
    await using program = await compiled();
    const headers = await succeed("readelf", [
      "--wide",
      "--file-header",
      "--segments",
      program.path,
    ]);
    const dynamic = await succeed("readelf", ["--wide", "--dynamic", program.path]);
    assert(/Type:\s+DYN/.test(headers), "position-independent");
    assert(!/INTERP/.test(headers), "no interpreter");
    assert(!/NEEDED/.test(dynamic), "no library");
    assert(/GNU_STACK.*\sRW\s/.test(headers), "a stack that cannot be executed");
    const flags = [...headers.matchAll(/^ +LOAD +(?:0x\S+ +){5}(.{3})/gm)].map(([, f]) => f);
    assert(flags.length > 8, headers);
    assert(!flags.includes("RWE"), "nothing both writable and executable");
    const { size } = await Deno.stat(program.path);
    assert(size <= 110e6, `${size} bytes`);
  },
);

/** What a user may have set, or a base image may hold, that speaks to the runtime or its C library. */
function hostileEnvironment(folder: string): Record<string, string> {
  return {
    HOME: folder,
    DENO_DIR: `${folder}/deno`,
    DENO_V8_FLAGS: "--no-such-flag",
    DENO_LOG: "trace",
    DENO_CERT: `${folder}/none.pem`,
    DENO_CONDITIONS: "x",
    DENO_UNSTABLE_CONTROL_SOCK: "unix:/none",
    DENO_COVERAGE_DIR: `${folder}/coverage`,
    DENO_AUDIT_PERMISSIONS: `${folder}/audit`,
    OTEL_DENO: "true",
    NODE_OPTIONS: "--no-such-option",
    NODE_EXTRA_CA_CERTS: `${folder}/none.pem`,
    NODE_CHANNEL_FD: "3",
    NODE_DEBUG: "*",
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:1",
    RUST_LOG: "trace",
    RUST_BACKTRACE: "full",
    SSLKEYLOGFILE: `${folder}/keys`,
    LD_PRELOAD: `${folder}/evil.so`,
    LD_AUDIT: `${folder}/evil.so`,
    LD_LIBRARY_PATH: `${folder}/lib`,
    LD_DEBUG: "all",
    LD_BIND_NOT: "1",
    LD_TRACE_LOADED_OBJECTS: "1",
    GLIBC_TUNABLES: "glibc.malloc.check=3",
    MALLOC_PERTURB_: "1",
    FASTMCP_RUNNER_CODEC: "1",
    FASTMCP_RUNNER_IMAGE: "1",
    FASTMCP_RUNNER_NOFILE: "7:7",
  };
}

peerTest("nothing the user has set changes what it does", [...COMPILER], async () => {
  await using program = await compiled();
  const folder = `${program.folder}/hostile`;
  await Deno.mkdir(`${folder}/lib`, { recursive: true });
  for (const library of ["libc.so.6", "libm.so.6", "libgcc_s.so.1"]) {
    await Deno.writeTextFile(`${folder}/lib/${library}`, "not a library\n");
  }
  for (const name of ["deno.json", "package.json", "deno.lock", "tsconfig.json"]) {
    await Deno.writeTextFile(`${folder}/${name}`, "{ not JSON");
  }
  await Deno.writeTextFile(
    `${folder}/.npmrc`,
    "registry=http://127.0.0.1:1\n//evil/:_authToken=x\n",
  );
  await Deno.writeTextFile(`${folder}/.env`, "PORT=nonsense\n");
  const before = listTree(folder);

  for (
    const args of [["version"], ["help"], ["pull"], ["health", "--port", "x"], ["run", "--bad"]]
  ) {
    const clean = await runAlone(program.path, args);
    const hostile = await runAlone(program.path, args, hostileEnvironment(folder), folder);
    const told = ({ code, stdout, stderr }: typeof clean) => ({
      code,
      stdout,
      stderr: stderr.replaceAll(/\d{4}-\d\d-\d\dT\S+Z/g, "TIME"),
    });
    assertEquals(told(hostile), told(clean));
  }
  assertEquals(listTree(folder), before);
});

peerTest(
  "a server gets the user's own variables, and none of the launcher's",
  COMPILER,
  async () => {
    await using program = await compiled();
    const hub = await openHub("embedded");
    try {
      await hub.put("test/dump", "latest", dumpImage());
      await Deno.mkdir(`${program.folder}/root`);
      const { stdout, stderr } = await execute(program.path, ["run"], {
        env: {
          ...hostileEnvironment(program.folder),
          IMAGE: `${hub.host}/test/dump:latest`,
          PORT: "3901",
          RUNNER_ROOT: `${program.folder}/root`,
          RUNNER_PASS_ENV: "HOME,NODE_OPTIONS,PATH",
        },
        clearEnv: true,
      });
      const env = [...stdout.matchAll(/^env (.*)$/gm)].map(([, entry = ""]) => entry);
      assert(env.length > 4, stderr);
      assert(env.includes(`HOME=${program.folder}`), "HOME is the user's");
      assert(
        env.includes("NODE_OPTIONS=--no-such-option"),
        "what the launcher hides can be passed on",
      );
      const ours = env.filter((entry) => /^(DENO_|FASTMCP_RUNNER_|LD_|[^ -~])/.test(entry));
      assertEquals(ours, []);
      const descriptors = [...stdout.matchAll(/^fd (\d+)$/gm)].map(([, fd]) => fd);
      assertEquals(descriptors, ["0", "1", "2"]);
    } finally {
      await hub.close();
    }
  },
);

/** The figures are those of scripts/startup.ts, in docs/executable.md. */
peerTest("start-up takes no time to speak of", [...COMPILER], async () => {
  await using program = await compiled();
  const version = async () => (await runAlone(program.path, ["version"])).ms;
  await assertQuick(promised(80, 400), 9, version);
});

peerTest("few descriptors, a closed stdin, and many arguments", [...COMPILER], async () => {
  await using program = await compiled();
  const sh = (script: string, ...args: string[]) =>
    runAlone("/bin/sh", ["-c", script, "sh", program.path, ...args]);
  const few = await sh('ulimit -n 6; exec "$1" version');
  assertEquals(few.code, 126);
  assert(/^fastmcp-runner: cannot start: .*raise RLIMIT_NOFILE.*\n$/.test(few.stderr), few.stderr);
  const closed = await sh('exec "$1" version <&-');
  assertEquals(closed.code, 0, closed.stderr);
  const many = await sh('exec "$@"', "version", ...Array<string>(5_000).fill("x".repeat(20)));
  assert(/^\S+ \[ERROR\]/.test(many.stderr), many.stderr);
});

/**
 * Has a pull that a shell starts wait for a registry's answer; it has its threads by then. The
 * shell forks for it: of this process, a child has as large a table of descriptors as the files
 * opened here by all tests need, and a child of that has one of its own.
 */
async function whileItWaits(script: string, look: (pid: number) => Promise<void>): Promise<void> {
  await using program = await compiled();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const pull = `pull 127.0.0.1:${port}/a/b:c --root ${program.folder}/root`;
  const shell = new Deno.Command("/bin/sh", {
    args: ["-c", `(${script} "$0" ${pull}) & echo $!; wait`, program.path],
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const pid = Number(await firstLine(shell.stdout));
  assert(pid > 0, "the shell has started it");
  let ended = false;
  const status = shell.status.then(() => void (ended = true));
  try {
    using connection = await Promise.race([silent.accept(), status]);
    assert(connection !== undefined, "it has asked the registry");
    await look(pid);
  } finally {
    if (!ended) Deno.kill(pid, "SIGKILL");
    await status;
  }
}

peerTest("the table of descriptors is large before there are threads", [...COMPILER], async () => {
  for (const [limit, size] of [[5000, 4096], [512, 512]] as const) {
    await whileItWaits(`ulimit -S -n ${limit}; exec`, async (pid) => {
      const status = await Deno.readTextFile(`/proc/${pid}/status`);
      assert(Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]) > 1, status);
      assertEquals(Number(/^FDSize:\s+(\d+)$/m.exec(status)?.[1]), size);
    });
  }
});

peerTest(
  "the runtime's own threads are batch jobs, the isolate's only if it was started so",
  [...COMPILER, "chrt"],
  async () => {
    const SCHED_OTHER = 0;
    const SCHED_BATCH = 3;
    for (
      const [script, isolate] of [
        ["exec", SCHED_OTHER],
        ["exec chrt -b 0", SCHED_BATCH],
        ["FASTMCP_RUNNER_BATCH=1 exec chrt -b 0", SCHED_BATCH],
      ] as const
    ) {
      await whileItWaits(script, async (pid) => {
        let compiling = 0;
        for await (const { name: thread } of Deno.readDir(`/proc/${pid}/task`)) {
          const stat = await Deno.readTextFile(`/proc/${pid}/task/${thread}/stat`);
          // proc_pid_stat(5): the name in parentheses, then the fields from the third on.
          const [, name = "", fields = ""] = /\((.*)\) (.*)/s.exec(stat)!;
          const policy = Number(fields.split(" ")[41 - 3]);
          if (Number(thread) === pid) assertEquals(policy, isolate);
          if (!name.startsWith("V8")) continue;
          assertEquals(policy, SCHED_BATCH);
          compiling++;
        }
        assert(compiling > 0, "V8 has threads");
      });
    }
  },
);
