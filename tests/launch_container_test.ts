/** What the server is given in a real container (podman, runc), by the options it is started with. */
import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { type Container, container } from "./launch/container.ts";
import { compileDump, Dump, dumpLayout } from "./launch/dump.ts";
import { rootTest } from "./peers.ts";

const NONE = "0".repeat(16);

interface Row {
  readonly name: string;
  readonly options: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What differs from the first row. */
  readonly expect?: Partial<Dump>;
  readonly logs?: string;
}

const ROOM = ["--tmpfs", "/room:rw,mode=1777,size=64m,exec"];

const ROWS: readonly Row[] = [
  { name: "default capabilities", options: [] },
  {
    name: "--cap-drop ALL --cap-add SETUID,SETGID,SETPCAP",
    options: ["--cap-drop", "ALL", "--cap-add", "SETUID,SETGID,SETPCAP"],
  },
  {
    name: "without SETPCAP: the bounding set stays, with a warning",
    options: ["--cap-drop", "ALL", "--cap-add", "SETUID,SETGID"],
    expect: { CapBnd: "00000000000000c0", securebits: 0 },
    logs: "the container lacks CAP_SETPCAP",
  },
  {
    name: "--read-only",
    options: ["--read-only", ...ROOM],
    env: { RUNNER_ROOT: "/room" },
    expect: { argv: ["/room/app/bin/dump"], exe: "/room/app/bin/dump", cwd: "/room/app" },
  },
  {
    name: "--user 1000",
    options: ["--user", "1000", ...ROOM],
    env: { RUNNER_ROOT: "/room" },
    expect: {
      argv: ["/room/app/bin/dump"],
      exe: "/room/app/bin/dump",
      cwd: "/room/app",
      ...{ uid: [1000, 1000, 1000], gid: [0, 0, 0], groups: [0] },
      securebits: 0,
    },
  },
  { name: "--security-opt no-new-privileges", options: ["--security-opt", "no-new-privileges"] },
];

async function check(box: Container, row: Row, image: string): Promise<void> {
  const { code, stdout, stderr } = await box.run(row.options, {
    IMAGE: image,
    PORT: "3901",
    REGISTRY_USER: "user",
    REGISTRY_PASSWORD: "hunter2",
    ...row.env,
  });
  assertEquals(code, 0, stderr);
  const { env, CapBnd, nofile: _, core: _core, ...dump } = Dump.parse(JSON.parse(stdout));
  assertEquals(env.some((entry) => /hunter2|^(REGISTRY|RUNNER|DENO|container)/.test(entry)), false);
  assertEquals<unknown>(dump, {
    pid: 1,
    PPid: "0",
    argv: ["/app/bin/dump"],
    exe: "/app/bin/dump",
    cwd: "/app",
    uid: [1000, 1000, 1000],
    gid: [1000, 1000, 1000],
    groups: [1000],
    umask: "0022",
    securebits: 0xef,
    dumpable: 1,
    Threads: "1",
    SigBlk: NONE,
    SigIgn: NONE,
    SigCgt: NONE,
    CapInh: NONE,
    CapPrm: NONE,
    CapEff: NONE,
    CapAmb: NONE,
    NoNewPrivs: "1",
    descriptors: [0, 1, 2],
    notDefault: [],
    scheduling: 0,
    ...without(row.expect, "CapBnd"),
  });
  // A plain user cannot empty it; what is in it is the engine's choice.
  const asRoot = dump.gid[0] !== 0;
  if (asRoot) assertEquals(CapBnd, row.expect?.CapBnd ?? NONE);
  assertStringIncludes(stderr, row.logs ?? "");
}

function without(dump: Partial<Dump> = {}, name: keyof Dump): Partial<Dump> {
  return Object.fromEntries(Object.entries(dump).filter(([key]) => key !== name));
}

rootTest("what the server is given in a container", ["podman", "runc", "cc", "ldd"], async (t) => {
  await using box = await container();
  const work = await Deno.makeTempDir({ prefix: "dump-" });
  const program = await compileDump(work);
  await dumpLayout(`${box.share}/image`, program, { Entrypoint: ["/app/bin/dump"] });
  await Deno.remove(work, { recursive: true });
  const image = "oci:/share/image";
  for (const row of ROWS) await t.step(row.name, () => check(box, row, image));

  await t.step("root without SETUID and SETGID is refused in one line", async () => {
    const { code, stderr } = await box.run(["--cap-drop", "ALL"], { IMAGE: image, PORT: "3901" });
    assertEquals(code, 64, stderr);
    assertStringIncludes(stderr, "the container lacks CAP_SETGID and CAP_SETUID: add that");
    assertEquals(stderr.trim().split("\n").length, 1);
  });

  await t.step("--user 1000 with nothing writable is told before the pull", async () => {
    const env = { IMAGE: image, PORT: "3901", RUNNER_ROOT: "/data" };
    const { code, stderr } = await box.run(["--user", "1000"], env);
    assertEquals(code, 73, stderr);
    assertStringIncludes(stderr, "uid 1000 cannot write /data/app, /data/data");
    assertStringIncludes(stderr, "set RUNNER_ROOT to a directory it can write, or give it these");
    assertEquals(stderr.trim().split("\n").length, 1);
  });
});
