import { pushLayout, startDistributionRegistry } from "../../tests/distribution_registry.ts";
import { onPath } from "../../tests/peers.ts";
import { type BenchImage, TAG } from "./images.ts";

/** A registry in another process, holding the benchmark's images. */
export interface BenchRegistry {
  readonly name: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Ends it; a second time does nothing. */
  stop(): Promise<void>;
}

/** Serves images from the distribution registry where it and skopeo are installed, else embedded. */
export async function serve(images: readonly BenchImage[]): Promise<BenchRegistry> {
  if (!onPath("docker-registry") || !onPath("skopeo")) return await serveEmbedded(images);
  const registry = await startDistributionRegistry();
  try {
    for (const { layout, repository } of images) {
      await pushLayout(layout, TAG, `${registry.host}/${repository}:${TAG}`);
    }
  } catch (error) {
    await registry.stop();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  return {
    name: "docker-registry",
    host: registry.host,
    stop: () => stopped ??= registry.stop(),
  };
}

async function serveEmbedded(images: readonly BenchImage[]): Promise<BenchRegistry> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
      new URL("./serve.ts", import.meta.url).pathname,
      ...images.map(({ repository, layout }) => `${repository}=${layout}`),
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  if (value === undefined) throw new Error("The embedded registry did not start");
  let stopped = false;
  return {
    name: "the embedded registry",
    host: value.trim(),
    async stop() {
      if (stopped) return;
      stopped = true;
      server.kill("SIGTERM");
      await reader.cancel();
      await server.status;
    },
  };
}
