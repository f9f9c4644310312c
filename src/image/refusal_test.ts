import { assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../errors.ts";
import {
  attestation,
  DIFF_ID,
  type Documents,
  type Entry,
  LAYER,
  OCI,
  resolve,
} from "./documents_fixture.ts";

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
