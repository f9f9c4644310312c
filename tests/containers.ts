import * as z from "zod";
import { eventually } from "./ports.ts";
import { execute, type Finished, succeed } from "./programs.ts";

/** buildah and podman with storage of their own, which goes away with it. */
export interface Containers extends AsyncDisposable {
  readonly folder: string;
  /** Runs a subcommand of `buildah`, which must succeed. @returns its standard output */
  buildah(...args: string[]): Promise<string>;
  /** Starts a container with `podman run --detach` and runc, on the host's network. */
  start(name: string, ...args: string[]): Promise<void>;
  podman(...args: string[]): Promise<Finished>;
}

export const CONTAINER_PEERS = ["buildah", "podman", "runc"] as const;

export async function containers(): Promise<Containers> {
  const folder = await Deno.makeTempDir({ prefix: "containers-" });
  const storage = [
    ...["--storage-driver", "vfs", "--root", `${folder}/storage`],
    ...["--runroot", `${folder}/run`],
  ];
  const engine = [...storage, "--runtime", "runc", "--cgroup-manager", "cgroupfs"];
  const env = { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "/root" };
  const options = { env, timeoutMs: 180_000 };
  const podman = (...args: string[]) => execute("podman", [...engine, ...args], options);
  return {
    folder,
    podman,
    buildah: (...args) => succeed("buildah", [...storage, ...args], options),
    async start(name, ...args) {
      const limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000"];
      const run = ["run", "--detach", "--name", name, "--network", "host", ...limits, ...args];
      await succeed("podman", [...engine, ...run], options);
    },
    async [Symbol.asyncDispose]() {
      await podman("rm", "--all", "--force", "--time", "1");
      // The engine's own clean-up of a container ends a moment after it.
      await eventually(
        "the containers' folder is removed",
        20_000,
        () => Deno.remove(folder, { recursive: true }),
      );
    },
  };
}

/**
 * Makes an image that stands for Debian's: its own /etc, and of this machine's /usr what is mounted
 * there (`--volume /usr:/usr:ro`), since no image of Debian's can be had without its registry.
 */
export async function debianBase(on: Containers, tag: string): Promise<void> {
  const context = `${on.folder}/base`;
  const root = `${context}/root`;
  for (const name of ["usr", "etc/ssl", "tmp", "var/tmp", "root", "proc", "dev"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await Deno.chmod(`${root}/tmp`, 0o1777);
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    await Deno.symlink(`usr/${name}`, `${root}/${name}`);
  }
  for (const name of ["passwd", "group", "nsswitch.conf", "ld.so.cache", "ssl/certs"]) {
    await succeed("cp", ["-rL", `/etc/${name}`, `${root}/etc/${name}`]);
  }
  await succeed("cp", ["-r", "/etc/alternatives", `${root}/etc/alternatives`]);
  await succeed("tar", ["-C", root, "-cf", `${context}/root.tar`, "."]);
  await Deno.writeTextFile(`${context}/Dockerfile`, "FROM scratch\nADD root.tar /\n");
  await on.buildah("bud", "--isolation", "chroot", "--tag", tag, context);
}

/** What a build in such an image needs of this machine: what npm and Deno have fetched already. */
export async function buildVolumes(): Promise<string[]> {
  const npm = (await succeed("npm", ["config", "get", "cache"], inherited())).trim();
  const info = await succeed(Deno.execPath(), ["info", "--json"], inherited());
  const { denoDir } = z.object({ denoDir: z.string() }).parse(JSON.parse(info));
  return [
    ...["--volume", "/usr:/usr:ro"],
    ...["--volume", `${npm}:/root/.npm`],
    ...["--volume", `${denoDir}:/root/.cache/deno`],
  ];
}

function inherited() {
  return { env: Deno.env.toObject() };
}
