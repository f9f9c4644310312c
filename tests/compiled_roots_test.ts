import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { type Compiled, compiled, COMPILER, runAlone } from "./compiled.ts";
import { openHub } from "./e2e_hub.ts";
import { rootTest } from "./peers.ts";
import { type Finished, succeed } from "./programs.ts";
import { tar } from "./registry/tar.ts";

/** A base system to copy the executable into. */
interface Root {
  readonly name: string;
  /** Puts the system's own files there. */
  readonly fill: (root: string) => Promise<void>;
  /** @default true */
  readonly proc?: boolean;
  readonly readOnly?: boolean;
  /** @default 0 */
  readonly user?: number;
  /** Checks that the root is what its name says. */
  readonly proof?: readonly string[];
}

const empty = () => Promise.resolve();

const ROOTS: readonly Root[] = [
  { name: "nothing but /proc", fill: empty },
  { name: "nothing but /proc, as a plain user", fill: empty, user: 1000 },
  { name: "nothing but /proc, read-only", fill: empty, readOnly: true },
  {
    name: "nothing but /proc, read-only, as a plain user",
    fill: empty,
    readOnly: true,
    user: 1000,
  },
  {
    name: "busybox",
    fill: async (root) => {
      await Deno.mkdir(`${root}/bin`);
      await Deno.copyFile(await which("busybox"), `${root}/bin/busybox`);
      await Deno.symlink("busybox", `${root}/bin/sh`);
    },
    proof: ["/bin/sh", "-c", "true"],
  },
  {
    name: "musl alone",
    fill: async (root) => {
      await Deno.mkdir(`${root}/lib`);
      await Deno.mkdir(`${root}/bin`);
      const loader = `/lib/ld-musl-${Deno.build.arch}.so.1`;
      await Deno.copyFile(loader, `${root}${loader}`);
      await compileC("musl-gcc", [], `${root}/bin/proof`);
    },
    proof: ["/bin/proof"],
  },
  {
    name: "a Debian system",
    // Its /etc too: ld.so.cache, nsswitch.conf, passwd.
    fill: async (root) => {
      for (const name of ["usr", "etc", "lib", "lib64", "bin"]) {
        const { isSymlink } = await Deno.lstat(`/${name}`);
        if (isSymlink) await Deno.symlink(await Deno.readLink(`/${name}`), `${root}/${name}`);
        else await Deno.mkdir(`${root}/${name}`);
      }
    },
    proof: ["/bin/sh", "-c", "grep -q debian /etc/os-release"],
  },
];

/**
 * Runs a command in `root` with mounts of its own, which end with it: /proc, a /work that can be
 * written, and of what `root` has an empty directory for, the host's own.
 */
const ENTER = `
root=$1 proc=$2 read_only=$3 user=$4; shift 4
mount --bind "$root" "$root"
for name in usr etc lib lib64 bin; do
  if [ -d "$root/$name" ] && [ ! -L "$root/$name" ] && ! ls "$root/$name" | grep -q .; then
    mount --bind "/$name" "$root/$name"
  fi
done
[ "$proc" = true ] && mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0777 work "$root/work"
[ "$read_only" = true ] && mount -o remount,ro,bind "$root"
exec chroot --userspec="$user:$user" --groups= "$root" "$@"
`;

function enter(
  { proc, readOnly, user }: Root,
  root: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const settings = [proc ?? true, readOnly ?? false, user ?? 0].map(String);
  const args = ["--mount", "--propagation", "private", "/bin/sh", "-euc", ENTER, "sh", root];
  // No PATH of the host's: the roots have none of its programs.
  return runAlone("/usr/bin/unshare", [...args, ...settings, ...command], env);
}

async function inRoot(
  program: Compiled,
  root: Root,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: program.folder, prefix: "root-" });
  try {
    await Deno.chmod(folder, 0o755);
    for (const name of ["proc", "work"]) await Deno.mkdir(`${folder}/${name}`);
    await root.fill(folder);
    await Deno.link(program.path, `${folder}/fastmcp-runner`);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

rootTest(
  "the executable runs in any root",
  [...COMPILER, "unshare", "chroot", "busybox", "musl-gcc"],
  async (t) => {
    await using program = await compiled();
    const hub = await openHub("embedded");
    const server = `${program.folder}/server`;
    await compileC("musl-gcc", ["-static"], server);
    try {
      await hub.put("test/static", "latest", {
        layers: [{
          tar: tar([
            { path: "app" },
            { path: "app/server", content: await Deno.readFile(server), mode: 0o755 },
          ]),
        }],
        config: { Entrypoint: ["/app/server"] },
      });
      for (const root of ROOTS) {
        await t.step(root.name, () =>
          inRoot(program, root, async (folder) => {
            if (root.proof) {
              const proof = await enter({ ...root, user: 0 }, folder, root.proof);
              assertEquals(proof.code, 0, proof.stderr);
            }
            const ran = await enter(root, folder, ["/fastmcp-runner", "run"], {
              IMAGE: `${hub.host}/test/static:latest`,
              PORT: "3901",
              RUNNER_ROOT: "/work",
            });
            assertEquals([ran.code, ran.stdout], [0, "served\n"], ran.stderr);
          }));
      }
      await t.step("without /proc: one clear line", () => {
        const root: Root = { name: "", fill: empty, proc: false };
        return inRoot(program, root, async (folder) => {
          const { code, stdout, stderr } = await enter(root, folder, [
            "/fastmcp-runner",
            "version",
          ]);
          assertEquals([code, stdout], [126, ""]);
          assertEquals(
            stderr,
            'fastmcp-runner: cannot start: "/proc" is not mounted: mount it, as container engines do ' +
              "(mount -t proc proc /proc)\n",
          );
        });
      });
      await t.step("with a hosts file alone it finds a registry by name", () => {
        const root: Root = {
          name: "",
          fill: async (folder) => {
            await Deno.mkdir(`${folder}/etc`);
            await Deno.writeTextFile(`${folder}/etc/hosts`, "127.0.0.1 registry.test\n");
          },
        };
        return inRoot(program, root, async (folder) => {
          const host = hub.host.replace("127.0.0.1", "registry.test");
          const ran = await enter(root, folder, ["/fastmcp-runner", "pull"], {
            IMAGE: `${host}/test/static:latest`,
            RUNNER_INSECURE_REGISTRIES: host,
            RUNNER_ROOT: "/work",
          });
          assertEquals(ran.code, 0, ran.stderr);
        });
      });
      await t.step("where memory files may not be executable, and with mode 0711", async () => {
        await Deno.chmod(program.path, 0o711);
        const sysctl = "/proc/sys/vm/memfd_noexec";
        const strict = `if [ -e ${sysctl} ]; then echo 2 > ${sysctl}; fi;` +
          `exec setpriv --reuid=65534 --regid=65534 --clear-groups ${program.path} version`;
        const args = ["--pid", "--fork", "--mount-proc", "/bin/sh", "-euc", strict];
        const { code, stdout, stderr } = await runAlone("/usr/bin/unshare", args);
        assertEquals(code, 0, stderr);
        assert(/^\d+\.\d+\.\d+/.test(stdout), stdout);
      });
    } finally {
      await hub.close();
    }
  },
);

/** A program that says "served". */
async function compileC(compiler: string, flags: readonly string[], output: string): Promise<void> {
  const source = `${output}.c`;
  await Deno.writeTextFile(source, `#include <stdio.h>\nint main(void) { puts("served"); }\n`);
  await succeed(compiler, [...flags, "-o", output, source]);
  await Deno.remove(source);
}

async function which(program: string): Promise<string> {
  return (await succeed("/bin/sh", ["-c", `command -v ${program}`])).trim();
}
