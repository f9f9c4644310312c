import { assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../errors.ts";
import type { Digest } from "../reference/digest.ts";
import { parsePlatform } from "../reference/platform.ts";
import { documentDigest } from "../registry/document.ts";
import type { ImageStore, ManifestDocument } from "../store/store.ts";
import { resolveImage } from "./resolve.ts";
import { platformRank } from "./select.ts";
import type { Image } from "./types.ts";

const OCI = "application/vnd.oci.image";
const DIFF_ID = `sha256:${"d".repeat(64)}`;
const LAYER = {
  mediaType: `${OCI}.layer.v1.tar+gzip`,
  digest: `sha256:${"b".repeat(64)}`,
  size: 9,
};

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

/** A store of documents in memory; `put` gives the entry that points at one. */
class Documents implements ImageStore {
  readonly #bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  top: Entry | undefined;
  readonly asked: string[] = [];

  put(mediaType: string, value: unknown): Entry {
    const bytes = new TextEncoder().encode(
      typeof value === "string" ? value : JSON.stringify(value),
    );
    const digest = documentDigest(bytes);
    this.#bytes.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image for a platform; its `Cmd` is its platform, so that tests see which was chosen. */
  image(platform: string, changes: { manifest?: object; config?: object } = {}): Entry {
    const [os, architecture, variant] = platform.split("/");
    const config = this.put(`${OCI}.config.v1+json`, {
      os,
      architecture,
      variant,
      config: { Cmd: [platform] },
      rootfs: { type: "layers", diff_ids: [DIFF_ID] },
      ...changes.config,
    });
    const entry = this.put(`${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config,
      layers: [LAYER],
      ...changes.manifest,
    });
    const described: Record<string, string> = { os: os ?? "", architecture: architecture ?? "" };
    if (variant !== undefined) described.variant = variant;
    return { ...entry, platform: described };
  }

  index(manifests: readonly Entry[], changes: object = {}): Entry {
    const mediaType = `${OCI}.index.v1+json`;
    return this.put(mediaType, { schemaVersion: 2, mediaType, manifests, ...changes });
  }

  manifest(reference?: Digest): Promise<ManifestDocument> {
    const digest = reference ?? this.top?.digest ?? "";
    this.asked.push(digest);
    const bytes = this.#bytes.get(digest);
    if (bytes === undefined) throw new RunnerError(69, `no ${digest}`);
    return Promise.resolve({ mediaType: "", digest: digest as Digest, bytes });
  }

  async *blob({ digest }: { digest: string }): AsyncGenerator<Uint8Array> {
    const bytes = this.#bytes.get(digest);
    if (bytes !== undefined) yield await Promise.resolve(bytes);
  }

  readonly spec = { kind: "oci", path: "", tag: undefined, maxManifestSize: 0 } as const;
  close(): void {}
}

async function resolve(top: (documents: Documents) => Entry, platform: string): Promise<Image> {
  const documents = new Documents();
  documents.top = top(documents);
  return await resolveImage(documents, {
    platform: parsePlatform(platform),
    maxManifestSize: 100_000,
    maxConfigSize: 100_000,
    name: "img",
  });
}

const attestation = (documents: Documents): Entry => ({
  ...documents.put(`${OCI}.manifest.v1+json`, { schemaVersion: 2, attestation: true }),
  platform: { os: "unknown", architecture: "unknown" },
  annotations: { "vnd.docker.reference.type": "attestation-manifest" },
});

interface Choice {
  readonly name: string;
  readonly top: (documents: Documents) => Entry;
  readonly platform: string;
  /** The platform of the image that is to be chosen. */
  readonly chosen: string;
}

const images = (...platforms: string[]) => (d: Documents) =>
  d.index(platforms.map((platform) => d.image(platform)));

const choices: readonly Choice[] = [
  {
    name: "no index",
    top: (d) => d.image("linux/amd64"),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "by architecture",
    top: images("linux/arm64", "linux/amd64"),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "by os",
    top: images("windows/amd64", "linux/amd64"),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "arm64 and arm64/v8 are one",
    top: images("linux/arm64/v8"),
    platform: "linux/arm64",
    chosen: "linux/arm64/v8",
  },
  {
    name: "arm64/v8 takes arm64",
    top: images("linux/arm64"),
    platform: "linux/arm64/v8",
    chosen: "linux/arm64",
  },
  {
    name: "arm takes v7 first",
    top: images("linux/arm/v5", "linux/arm/v6", "linux/arm/v7"),
    platform: "linux/arm",
    chosen: "linux/arm/v7",
  },
  {
    name: "arm/v7 takes v6 where there is no v7",
    top: images("linux/arm/v5", "linux/arm/v6"),
    platform: "linux/arm/v7",
    chosen: "linux/arm/v6",
  },
  {
    name: "amd64 does not take v3",
    top: images("linux/amd64/v3", "linux/amd64"),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "amd64/v3 takes v2 before v1",
    top: images("linux/amd64", "linux/amd64/v2"),
    platform: "linux/amd64/v3",
    chosen: "linux/amd64/v2",
  },
  {
    name: "the first of equals",
    top: (d) =>
      d.index([
        d.image("linux/amd64", { config: { author: "1", config: { Cmd: ["first"] } } }),
        d.image("linux/amd64"),
      ]),
    platform: "linux/amd64",
    chosen: "first",
  },
  {
    name: "attestations are passed over",
    top: (d) => d.index([attestation(d), d.image("linux/amd64")]),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "nested indexes",
    top: (d) => d.index([d.image("linux/s390x"), d.index([d.index([d.image("linux/amd64")])])]),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "a lone entry without platform",
    top: (d) => d.index([{ ...d.image("linux/amd64"), platform: {} }]),
    platform: "linux/amd64",
    chosen: "linux/amd64",
  },
  {
    name: "a config that states no platform",
    top: (d) => d.image("linux/amd64", { config: { os: undefined, architecture: "" } }),
    platform: "linux/arm64",
    chosen: "linux/amd64",
  },
];

for (const { name, top, platform, chosen } of choices) {
  Deno.test(`chosen: ${name}`, async () => {
    assertEquals((await resolve(top, platform)).config.cmd, [chosen]);
  });
}

interface Refusal {
  readonly name: string;
  readonly top: (documents: Documents) => Entry;
  readonly message: RegExp;
}

const manifest = (fields: object) => (d: Documents) => d.image("linux/amd64", { manifest: fields });

const refusals: readonly Refusal[] = [
  {
    name: "no platform fits",
    top: (d) =>
      d.index([attestation(d), d.image("linux/arm64/v8"), d.index([d.image("windows/amd64")])]),
    message:
      /no image for linux\/amd64, only for linux\/arm64\/v8, windows\/amd64: choose one of these with RUNNER_PLATFORM/,
  },
  {
    name: "nothing but attestations",
    top: (d) => d.index([attestation(d)]),
    message: /nor for any other platform/,
  },
  {
    name: "an image of another platform",
    top: (d) => d.image("linux/arm64"),
    message: /it is for linux\/arm64, not linux\/amd64: .*RUNNER_PLATFORM=linux\/arm64/,
  },
  {
    name: "schema 1",
    top: (d) => d.put("", { schemaVersion: 1, fsLayers: [], history: [] }),
    message: /old schema 1.*skopeo copy --format v2s2/,
  },
  {
    name: "an index that is a manifest too",
    top: (d) => d.index([], { layers: [] }),
    message: /an index and a manifest at once/,
  },
  {
    name: "neither",
    top: (d) => d.put("", { schemaVersion: 2 }),
    message: /neither an index nor a manifest/,
  },
  {
    name: "a manifest that says it is an index",
    top: manifest({ mediaType: `${OCI}.index.v1+json` }),
    message: /a manifest that says it is "application\/vnd\.oci\.image\.index/,
  },
  {
    name: "no JSON",
    top: (d) => d.put("", "{"),
    message: /manifest "sha256:.*" is not valid: it is not JSON/,
  },
  { name: "a list", top: (d) => d.put("", []), message: /is not valid/ },
  {
    name: "an artifact",
    top: manifest({ config: { ...LAYER, mediaType: "application/vnd.cncf.helm.config.v1+json" } }),
    message: /no container image but an artifact/,
  },
  {
    name: "more layers than diff IDs",
    top: manifest({ layers: [LAYER, LAYER] }),
    message: /has 1 diff IDs for 2 layers/,
  },
  {
    name: "fewer layers than diff IDs",
    top: manifest({ layers: [] }),
    message: /has 1 diff IDs for 0 layers/,
  },
  {
    name: "an encrypted layer",
    top: manifest({ layers: [{ ...LAYER, mediaType: `${LAYER.mediaType}+encrypted` }] }),
    message: /cannot extract \(encrypted\)/,
  },
  {
    name: "a layer of an unknown kind",
    top: manifest({ layers: [{ ...LAYER, mediaType: "text/plain" }] }),
    message: /cannot extract: "text\/plain"/,
  },
  {
    name: "a digest that is none",
    top: manifest({ layers: [{ ...LAYER, digest: "sha256:../../x" }] }),
    message: /layers\.0\.digest/,
  },
  {
    name: "a negative size",
    top: manifest({ layers: [{ ...LAYER, size: -1 }] }),
    message: /layers\.0\.size/,
  },
  {
    name: "a diff ID that is none",
    top: (d) => d.image("linux/amd64", { config: { rootfs: { type: "layers", diff_ids: ["x"] } } }),
    message: /config "sha256:.*rootfs\.diff_ids\.0/,
  },
  {
    name: "a config that is not there",
    top: manifest({ config: { mediaType: `${OCI}.config.v1+json`, digest: DIFF_ID, size: 5 } }),
    message: /does not have the 5 bytes/,
  },
  {
    name: "a config too large",
    top: manifest({ config: { mediaType: `${OCI}.config.v1+json`, digest: DIFF_ID, size: 1e6 } }),
    message: /1000000 bytes, more than 100000 \(RUNNER_MAX_CONFIG\)/,
  },
  {
    name: "a manifest too large",
    top: (d) => d.index([{ ...d.image("linux/amd64"), size: 1e6 }]),
    message: /1000000 bytes, more than the 100000 allowed: set RUNNER_MAX_MANIFEST/,
  },
  {
    name: "a manifest of another size",
    top: (d) => d.index([{ ...d.image("linux/amd64"), size: 5 }]),
    message: /bytes instead of 5/,
  },
  {
    name: "indexes without end",
    top: (d) => {
      let at = d.index([]);
      for (let i = 0; i < 6; i++) at = d.index([at]);
      return at;
    },
    message: /more than 4 deep or 16 in number/,
  },
  {
    name: "too many indexes",
    top: (d) =>
      d.index(Array.from({ length: 20 }, (_, i) => d.index([], { annotations: { i: `${i}` } }))),
    message: /more than 4 deep or 16/,
  },
];

for (const { name, top, message } of refusals) {
  Deno.test(`refused with 65: ${name}`, async () => {
    const error = await assertRejects(() => resolve(top, "linux/amd64"), RunnerError);
    assertEquals(error.exit, 65);
    assertMatch(error.message, /^pull "img": /);
    assertMatch(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("os.version counts when it is asked for", () => {
  const windows = (osVersion?: string) => ({ os: "windows", architecture: "amd64", osVersion });
  assertEquals(platformRank(windows("10.0.1"), windows("10.0.2")), undefined);
  assertEquals(platformRank(windows("10.0.1"), windows("10.0.1")), 0);
  assertEquals(platformRank(windows(), windows("10.0.2")), 0);
});

Deno.test("Docker's media types, a null config and no config mean the same", async () => {
  const docker = "application/vnd.docker";
  const image = await resolve((d) => {
    const config = d.put(`${docker}.container.image.v1+json`, {
      os: "linux",
      architecture: "amd64",
      config: null,
      rootfs: { type: "layers", diff_ids: null },
    });
    const mediaType = `${docker}.distribution.manifest.v2+json`;
    const entry = d.put(mediaType, { schemaVersion: 2, mediaType, config, layers: [] });
    const list = `${docker}.distribution.manifest.list.v2+json`;
    const platform = { os: "linux", architecture: "amd64" };
    return d.put(list, { schemaVersion: 2, mediaType: list, manifests: [{ ...entry, platform }] });
  }, "linux/amd64");
  assertEquals(image.layers, []);
  const none = { env: [], entrypoint: [], cmd: [], workingDir: undefined, user: undefined };
  assertEquals(image.config, none);
});
