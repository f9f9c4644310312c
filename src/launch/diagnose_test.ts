import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { RunnerError } from "../errors.ts";
import { diagnose } from "./diagnose.ts";
import { fakeFacts, type Tree } from "./fake_facts.ts";

const MACHINE = Deno.build.arch === "x86_64" ? 62 : 183;
const LOADER = "/lib64/ld-linux-x86-64.so.2";

interface ElfSpec {
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly runpath?: string;
}

/** A 64-bit little-endian ELF of headers alone: one PT_LOAD of the whole file at address 0. */
function elf({ machine = MACHINE, interpreter, needed = [], runpath }: ElfSpec): Uint8Array {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  let strings = 1024;
  const string = (text: string) => {
    const at = strings;
    bytes.set(new TextEncoder().encode(text), at);
    strings += text.length + 1;
    return at;
  };
  let headers = 0;
  const segment = (type: number, offset: number, size: number) => {
    const at = 64 + 56 * headers++;
    view.setUint32(at, type, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
  };
  segment(1, 0, bytes.length);
  if (interpreter !== undefined) segment(3, string(interpreter), interpreter.length + 1);
  const dynamic: (readonly [number, number])[] = [
    ...needed.map((name) => [1, string(name) - 1024] as const),
    ...(runpath === undefined ? [] : [[29, string(runpath) - 1024] as const]),
    [5, 1024],
    [0, 0],
  ];
  dynamic.forEach(([tag, value], i) => {
    view.setBigUint64(512 + 16 * i, BigInt(tag), true);
    view.setBigUint64(520 + 16 * i, BigInt(value), true);
  });
  segment(2, 512, dynamic.length * 16);
  view.setUint16(56, headers, true);
  return bytes;
}

const binary = (spec: ElfSpec = {}) => ({ text: elf(spec) });
const venv = (version: string) => ({ text: `home = /usr/local/bin\nversion = ${version}\n` });

interface Case {
  readonly name: string;
  readonly tree: Tree;
  /** Exit status and parts of the line; none where the program may start. */
  readonly refused?: readonly [number, ...string[]];
  readonly file?: string;
}

const PYTHON = "/usr/bin/python3.11";

const CASES: readonly Case[] = [
  { name: "a static program", tree: { "/app/x": binary() } },
  {
    name: "a dynamic program whose loader and libraries are there",
    tree: {
      "/app/x": binary({
        interpreter: LOADER,
        needed: ["libc.so.6", "libz.so.1", "libq.so", "libk.so"],
      }),
      [LOADER]: {},
      "/lib/x86_64-linux-gnu/libc.so.6": {},
      "/etc/ld.so.cache": { text: "glibc-ld.so.cache1.1\0libz.so.1\0/odd/libz.so.1\0" },
      "/etc/ld.so.conf.d/q.conf": { text: "# q\n/odd/q\n" },
      "/odd/q/libq.so": {},
      "/usr/lib/libk.so": {},
    },
  },
  {
    name: "a library beside the program, by $ORIGIN",
    tree: {
      "/app/x": binary({ interpreter: LOADER, needed: ["libmine.so"], runpath: "$ORIGIN/../lib" }),
      [LOADER]: {},
      "/lib/libmine.so": {},
    },
  },
  {
    name: "a missing shared library",
    tree: { "/app/x": binary({ interpreter: LOADER, needed: ["libpq.so.5"] }), [LOADER]: {} },
    refused: [
      127,
      `"/app/x" needs the shared library "libpq.so.5", which this system does not have`,
    ],
  },
  {
    name: "another architecture",
    tree: { "/app/x": binary({ machine: MACHINE === 62 ? 183 : 62 }) },
    refused: [126, `"/app/x" is built for ${MACHINE === 62 ? "arm64" : "x86-64"} and this host is`],
  },
  {
    name: "another architecture that the kernel has a handler for",
    tree: {
      "/app/x": binary({ machine: MACHINE === 62 ? 183 : 62 }),
      "/proc/sys/fs/binfmt_misc/qemu-aarch64": {},
    },
  },
  {
    name: "glibc's program on musl",
    tree: { "/app/x": binary({ interpreter: LOADER }), "/lib/ld-musl-x86_64.so.1": {} },
    refused: [
      127,
      `needs glibc ("${LOADER}") and this system has musl ("/lib/ld-musl-x86_64.so.1"): use a base`,
    ],
  },
  {
    name: "musl's program on glibc",
    tree: { "/app/x": binary({ interpreter: "/lib/ld-musl-x86_64.so.1" }), [LOADER]: {} },
    refused: [
      127,
      `needs musl ("/lib/ld-musl-x86_64.so.1") and this system has glibc ("${LOADER}")`,
    ],
  },
  {
    name: "any dynamic program on an empty base",
    tree: { "/app/x": binary({ interpreter: LOADER }) },
    refused: [127, "this system has no C library"],
  },
  {
    name: "a script whose interpreter is there",
    tree: { "/app/x": { text: "#!/bin/sh -e\n" }, "/bin/sh": binary() },
  },
  {
    name: "a missing interpreter",
    tree: { "/app/x": { text: "#!/bin/bash\n" } },
    refused: [
      127,
      `the first line of "/app/x" names the interpreter "/bin/bash", which this system`,
    ],
  },
  {
    name: "an interpreter behind env",
    tree: {
      "/app/x": { text: "#!/usr/bin/env node\n" },
      "/usr/bin/env": binary(),
      "/usr/bin/node": binary(),
    },
  },
  {
    name: "a missing interpreter behind env",
    tree: { "/app/x": { text: "#!/usr/bin/env -S bun run\n" }, "/usr/bin/env": binary() },
    refused: [127, `asks for "bun", which is nowhere on the server's PATH "/usr/bin"`],
  },
  {
    name: "a carriage return",
    tree: { "/app/x": { text: "#!/bin/sh\r\necho\r\n" }, "/bin/sh": binary() },
    refused: [127, "ends in a carriage return: save it with Unix line ends"],
  },
  {
    name: "text without a first line",
    tree: { "/app/x": { text: "echo hello\n" } },
    refused: [126, "neither an ELF program nor a script that begins with #!"],
  },
  {
    name: "an empty file",
    tree: { "/app/x": { text: "" } },
    refused: [126, "neither an ELF program nor a script"],
  },
  {
    name: "a link to nothing",
    tree: { "/app/x": { link: "/usr/local/bin/node" } },
    refused: [127, `"/app/x" is a link to "/usr/local/bin/node", which is not there`],
  },
  {
    name: "a virtual environment whose Python is not there",
    file: "/app/.venv/bin/serve",
    tree: {
      "/app/.venv/bin/serve": { text: "#!/app/.venv/bin/python\n" },
      "/app/.venv/bin/python": { link: "python3" },
      "/app/.venv/bin/python3": { link: "/usr/local/bin/python3.12" },
      "/app/.venv/pyvenv.cfg": venv("3.12.4"),
      [PYTHON]: binary(),
    },
    refused: [
      127,
      `its virtual environment "/app/.venv" was made with Python 3.12 at ` +
      `"/usr/local/bin/python3.12"; this system has 3.11 at ${PYTHON}: use a base image with`,
    ],
  },
  {
    name: "a virtual environment with another version's Python",
    file: "/app/.venv/bin/python",
    tree: {
      "/app/.venv/bin/python": { link: "/usr/bin/python3" },
      "/app/.venv/pyvenv.cfg": venv("3.12"),
      "/app/.venv/lib/python3.12/site-packages": "dir",
      "/usr/bin/python3": { link: "python3.11" },
      [PYTHON]: binary(),
    },
    refused: [127, `Python 3.12 at "/usr/local/bin/python3.12"; this system has ${PYTHON}`],
  },
  {
    name: "a virtual environment that fits",
    file: "/app/.venv/bin/serve",
    tree: {
      "/app/.venv/bin/serve": { text: "#!/app/.venv/bin/python\n" },
      "/app/.venv/bin/python": { link: PYTHON },
      "/app/.venv/pyvenv.cfg": venv("3.11.9"),
      [PYTHON]: binary(),
    },
  },
];

Deno.test("why a program cannot start is found before it is tried", async (t) => {
  for (const { name, tree, refused, file = "/app/x" } of CASES) {
    await t.step(name, () => {
      const plan = {
        file,
        argv: ["server"],
        env: { PATH: "/usr/bin" },
        cwd: "/",
        user: { kind: "stay", uid: 1, gid: 1 },
        umask: 0o022,
        warnings: [],
      } as const;
      let caught: RunnerError | undefined;
      try {
        diagnose(plan, fakeFacts(tree));
      } catch (error) {
        if (!(error instanceof RunnerError)) throw error;
        caught = error;
      }
      assertEquals(caught?.exit, refused?.[0], caught?.message);
      const [, ...parts] = refused ?? [0];
      for (const part of [...(refused ? [`cannot start "server": `] : []), ...parts]) {
        assertStringIncludes(caught?.message ?? "", part);
      }
      assertEquals(caught?.message.includes("\n") ?? false, false);
    });
  }
});
