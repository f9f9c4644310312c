import { assertEquals } from "@std/assert/mod.js";
import { openStore } from "../src/store/open.ts";
import { type DistributionRegistry, startDistributionRegistry } from "./distribution_registry.ts";
import { peerTest } from "./peers.ts";
import { succeed } from "./programs.ts";
import { noise, quickSpec, recordingLog, resolve } from "./registry/pulling.ts";
import { run } from "./runner.ts";

/** Images as the field's tools push them, pulled by the whole program. */

const CONTENT = noise(60_000, 7);

interface Push {
  readonly name: string;
  readonly format: "oci" | "v2s2";
  readonly compression: "gzip" | "zstd";
}

/** Docker's family has no zstd for these tools. */
const PUSHES: readonly Push[] = [
  { name: "oci-gzip", format: "oci", compression: "gzip" },
  { name: "oci-zstd", format: "oci", compression: "zstd" },
  { name: "docker-gzip", format: "v2s2", compression: "gzip" },
];

/** What the layers must have been pushed as, or the test tests something else. */
const LAYER_TYPES: Readonly<Record<string, string>> = {
  "oci-gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
  "oci-zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
  "docker-gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

const STORAGE = ["--storage-driver", "vfs"];

for (const tool of ["skopeo", "buildah", "podman"] as const) {
  const peers = tool === "skopeo" ? ["buildah"] : [];
  peerTest(`images pushed by ${tool}`, ["docker-registry", tool, ...peers], async () => {
    const dir = await Deno.makeTempDir({ prefix: `${tool}-` });
    // The server's user must be able to reach the roots in it.
    await Deno.chmod(dir, 0o755);
    try {
      await Deno.mkdir(`${dir}/context/app/deep`, { recursive: true });
      await Deno.writeFile(`${dir}/context/app/deep/data`, CONTENT);
      await Deno.writeTextFile(`${dir}/context/app/run`, "#!/bin/sh\n", { mode: 0o755 });
      await Deno.writeTextFile(
        `${dir}/context/Containerfile`,
        'FROM scratch\nCOPY app/run /app/run\nCOPY app/deep /app/deep\nENTRYPOINT ["/app/run"]\n',
      );
      // A registry each: the tools reuse a blob they know to be there in another compression.
      for (const push of PUSHES) {
        const registry = await startDistributionRegistry();
        try {
          await pushWith(tool, dir, registry, push);
          const image = `${registry.host}/org/${push.name}:v1`;
          assertEquals(await layerTypes(image), new Set([LAYER_TYPES[push.name]]));
          await pullAndCompare(dir, image);
        } finally {
          await registry.stop();
        }
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

async function pushWith(
  tool: "skopeo" | "buildah" | "podman",
  dir: string,
  { host }: DistributionRegistry,
  { name, format, compression }: Push,
): Promise<void> {
  const destination = `docker://${host}/org/${name}:v1`;
  const roots = ["--root", `${dir}/storage`, "--runroot", `${dir}/run`];
  const global = [...STORAGE, ...roots];
  const pushed = ["--tls-verify=false", "--format", format, "--compression-format", compression];
  const build = ["bud", "--isolation", "chroot", "--layers", "-t", "localhost/x", `${dir}/context`];
  if (tool === "podman") {
    await succeed("tar", ["-C", `${dir}/context`, "-cf", `${dir}/app.tar`, "app"]);
    await succeed("podman", [...global, "import", "-q", `${dir}/app.tar`, "localhost/x"]);
    await succeed("podman", [...global, "push", ...pushed, "localhost/x", destination]);
    return;
  }
  await succeed("buildah", [...global, ...build]);
  if (tool === "buildah") {
    await succeed("buildah", [...global, "push", ...pushed, "localhost/x", destination]);
    return;
  }
  await succeed("buildah", [...global, "push", "-q", "localhost/x", `oci:${dir}/layout:x`]);
  await succeed("skopeo", [
    "--insecure-policy",
    "copy",
    ...["--dest-tls-verify=false", "--format", format, "--dest-compress"],
    ...["--dest-compress-format", compression, `oci:${dir}/layout:x`, destination],
  ]);
}

async function layerTypes(image: string): Promise<Set<string | undefined>> {
  const { log } = recordingLog();
  const store = await openStore(await quickSpec(image, log), log);
  const { layers } = await resolve(store);
  store.close();
  return new Set(layers.map(({ blob }) => blob.mediaType));
}

async function pullAndCompare(dir: string, image: string): Promise<void> {
  const root = await Deno.makeTempDir({ dir, prefix: "root-" });
  const { code, stderr } = await run(["pull", image], { env: { RUNNER_ROOT: root } });
  assertEquals(code, 0, stderr);
  assertEquals(await Deno.readFile(`${root}/app/deep/data`), CONTENT);
  assertEquals(((await Deno.stat(`${root}/app/run`)).mode ?? 0) & 0o777, 0o755);
}
