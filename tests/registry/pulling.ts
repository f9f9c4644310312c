import { assertEquals } from "@std/assert/mod.js";
import { createHash } from "node:crypto";
import type { Settings } from "../../src/config/settings.ts";
import { resolveImage } from "../../src/image/resolve.ts";
import type { Image } from "../../src/image/types.ts";
import { createLogger, type Logger } from "../../src/log.ts";
import { hostPlatform } from "../../src/reference/platform.ts";
import { registrySpec } from "../../src/registry/open.ts";
import type { RegistrySpec } from "../../src/registry/spec.ts";
import { parseReference } from "../../src/reference/reference.ts";
import { openStore } from "../../src/store/open.ts";
import type { ImageStore } from "../../src/store/store.ts";
import { testSettings } from "./settings.ts";

/** Pulls through the store, without extracting: what tests of registries have in common. */

/** A logger at debug level and the lines it has written. */
export function recordingLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  return { log: createLogger({ level: "debug", format: "text", write }), lines };
}

/** The spec of an image, with retries that do not keep a test waiting. */
export async function quickSpec(
  image: string,
  log: Logger,
  changes: Partial<Settings> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<RegistrySpec> {
  const settings = testSettings(changes);
  const reference = parseReference(image);
  const spec = await registrySpec(reference, settings, (name) => env[name], log);
  return { ...spec, backoffMs: 5 };
}

export async function resolve(store: ImageStore, name = "test"): Promise<Image> {
  return await resolveImage(store, {
    platform: hostPlatform(),
    maxManifestSize: 4 << 20,
    maxConfigSize: 8 << 20,
    name,
  });
}

/** Reads every layer and checks its digest; their bytes in all. */
export async function readLayers(store: ImageStore, image: Image): Promise<number> {
  let total = 0;
  for (const { blob } of image.layers) {
    const hash = createHash(blob.digest.split(":")[0] ?? "");
    for await (const chunk of store.blob(blob)) {
      hash.update(chunk);
      total += chunk.length;
    }
    assertEquals(hash.digest("hex"), blob.digest.split(":")[1]);
  }
  return total;
}

/** Opens, resolves, reads all layers, closes. */
export async function pullWhole(spec: RegistrySpec, log: Logger): Promise<Image> {
  const store = await openStore(spec, log);
  try {
    const image = await resolve(store);
    await readLayers(store, image);
    return image;
  } finally {
    store.close();
  }
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const random = seededRandom(seed);
  for (let i = 0; i < length; i++) bytes[i] = random() * 256;
  return bytes;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
