import { assertEquals, assertRejects } from "@std/assert/mod.js";
import { createHash } from "node:crypto";
import { RunnerError } from "../src/errors.ts";
import { resolveImage } from "../src/image/resolve.ts";
import type { Image } from "../src/image/types.ts";
import { createLogger } from "../src/log.ts";
import { hostPlatform } from "../src/reference/platform.ts";
import { storeFor } from "../src/store/for_settings.ts";
import { openStore } from "../src/store/open.ts";
import type { ImageStore } from "../src/store/store.ts";
import { writeLayout } from "./registry/layout.ts";
import { serveRegistry } from "./registry/registry.ts";
import { testSettings } from "./registry/settings.ts";
import { tar } from "./registry/tar.ts";

const log = createLogger({ level: "error", format: "text" });
const options = {
  platform: hostPlatform(),
  maxManifestSize: 4 << 20,
  maxConfigSize: 8 << 20,
  name: "test",
};

Deno.test("an image in a registry is resolved and its layers arrive whole", async () => {
  const dir = await Deno.makeTempDir();
  await using registry = serveRegistry({ "org/app": dir });
  const written = await writeLayout(dir, {
    tag: "v1",
    config: { Entrypoint: ["/app/run"], Cmd: ["serve"], Env: ["A=b"], WorkingDir: "/app" },
    layers: [
      { tar: tar([{ path: "app" }, { path: "app/run", content: "#!/bin/sh\n", mode: 0o755 }]) },
      { tar: tar([{ path: "app/big", content: new Uint8Array(300_000) }]), compression: "zstd" },
    ],
  });
  const settings = testSettings({ image: `${registry.host}/org/app:v1` });
  const store = await storeFor(settings, () => undefined, log);
  const image = await resolveImage(store, options);
  assertEquals(image.digest as string, written.manifest.digest);
  assertEquals(image.config.entrypoint, ["/app/run"]);
  await checkLayers(store, image);

  const spec = structuredClone(store.spec);
  store.close();
  const again = await openStore(spec, log);
  await checkLayers(again, image);
  again.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a tag that is not there is one line and 69", async () => {
  const dir = await Deno.makeTempDir();
  await using registry = serveRegistry({ "org/app": dir });
  await writeLayout(dir, { tag: "v1", layers: [] });
  const settings = testSettings({ image: `${registry.host}/org/app:v2` });
  const store = await storeFor(settings, () => undefined, log);
  const error = await assertRejects(() => resolveImage(store, options), RunnerError);
  assertEquals(error.exit, 69);
  assertEquals(
    error.message,
    `pull "${registry.host}/org/app:v2": GET http://${registry.host}/v2/org/app/manifests/v2: ` +
      `404 MANIFEST_UNKNOWN (manifest unknown): check the repository and the tag`,
  );
  store.close();
  await Deno.remove(dir, { recursive: true });
});

async function checkLayers(store: ImageStore, image: Image): Promise<void> {
  for (const { blob } of image.layers) {
    const hash = createHash("sha256");
    for await (const chunk of store.blob(blob)) hash.update(chunk);
    assertEquals(`sha256:${hash.digest("hex")}`, blob.digest);
  }
}
