import { assertEquals } from "@std/assert/mod.js";
import { attestation, type Documents, type Entry, resolve } from "./documents_fixture.ts";
import { platformRank } from "./select.ts";

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
