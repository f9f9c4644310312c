import { type PortableRunner, portableRunner } from "./portable.ts";
import { execute, type Finished, succeed } from "../programs.ts";

/** A root directory with the runner in it, for podman and runc; nothing else of a system. */
export interface Container extends AsyncDisposable {
  readonly runner: PortableRunner;
  /** Where files for the container may be put; it sees them below `/share`. */
  readonly share: string;
  /** Runs `/fr/…` with podman's options and the runner's environment. */
  run(
    options: readonly string[],
    env: Readonly<Record<string, string>>,
    args?: readonly string[],
  ): Promise<Finished>;
}

/** The limits of the machines that tests run on may be below what podman asks for by itself. */
const ULIMITS = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000"];

/** The ELF loader and the libraries that a Deno of the host needs, at their own places. */
async function copyLibraries(program: string, root: string): Promise<void> {
  const { code, stdout } = await execute("ldd", [program]);
  if (code !== 0) return; // Static: needs none.
  for (const [path] of stdout.matchAll(/\/\S+/g)) {
    await Deno.mkdir(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(path, `${root}${path}`);
  }
}

export async function container(): Promise<Container> {
  const dir = await Deno.makeTempDir({ prefix: "container-" });
  await Deno.chmod(dir, 0o755);
  const root = `${dir}/root`;
  for (const name of ["fr", "share", "app", "data", "tmp", "proc", "sys", "dev", "etc", "run"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await Deno.chmod(`${root}/tmp`, 0o1777);
  await Deno.writeTextFile(`${root}/etc/passwd`, "root:x:0:0::/root:/bin/sh\n");
  const runner = await portableRunner(`${root}/fr`, "/fr");
  await copyLibraries(`${root}${runner.command[0]}`, root);
  const share = `${dir}/share`;
  await Deno.mkdir(share);
  const podman = [
    ...["--root", `${dir}/storage`, "--runroot", `${dir}/run`, "--tmpdir", `${dir}/tmp`],
    ...["--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs"],
    ...["--log-level", "error"],
  ];
  return {
    runner,
    share,
    run(options, env, args = []) {
      const variables = Object.entries({ ...runner.env, HOME: "/nonexistent", ...env });
      const [program, ...before] = runner.command;
      return execute("podman", [
        ...podman,
        ...["run", "--rm", "--network", "host", "-v", `${share}:/share:ro`, ...ULIMITS],
        ...variables.flatMap(([name, value]) => ["-e", `${name}=${value}`]),
        ...options,
        ...["--rootfs", `${root}:O`, program, ...before, ...args],
      ]);
    },
    async [Symbol.asyncDispose]() {
      await execute("podman", [...podman, "system", "reset", "--force"]).catch(() => {});
      await succeed("rm", ["-rf", dir]);
    },
  };
}
