import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type { Settings } from "../../src/config/settings.ts";
import { Exit } from "../../src/errors.ts";
import { archive, ArchiveBuilder, paxRecord } from "../archive_builder.ts";
import { decoderTest } from "../codec.ts";
import { extractArchives, withRoot } from "./harness.ts";

interface Limit {
  readonly name: string;
  readonly layers: readonly ArchiveBuilder[];
  /** Just enough; one less is refused. */
  readonly enough: number;
  readonly settings: (limit: number) => Partial<Settings>;
  readonly says: RegExp;
}

const twoLayers = [archive().file("app/a", "A").file("etc/b", "B"), archive().file("app/c", "C")];

const LIMITS: readonly Limit[] = [
  {
    name: "total unpacked bytes, over all layers, left-out files included",
    layers: twoLayers,
    enough: twoLayers.reduce((sum, layer) => sum + layer.build().length, 0),
    settings: (maxSize) => ({ maxSize }),
    says: /more than \d+ bytes.*RUNNER_MAX_SIZE/,
  },
  {
    name: "entries, over all layers",
    layers: twoLayers,
    enough: 3,
    settings: (maxEntries) => ({ maxEntries }),
    says: /more than 2 entries.*RUNNER_MAX_ENTRIES/,
  },
  {
    name: "a path",
    layers: [archive().file("app/abcdef", "A")],
    enough: "app/abcdef".length,
    settings: (maxPathLength) => ({ maxPathLength }),
    says: /path of 10 bytes exceeds the limit of 9/,
  },
  {
    name: "a link target",
    layers: [archive().symlink("app/a", "x".repeat(20))],
    enough: 20,
    settings: (maxPathLength) => ({ maxPathLength }),
    says: /path of 20 bytes exceeds the limit of 19/,
  },
  {
    name: "a PAX record",
    layers: [archive().pax({ comment: "c".repeat(100) }).file("app/a", "A")],
    enough: paxRecord("comment", "c".repeat(100)).length,
    settings: (maxPaxSize) => ({ maxPaxSize }),
    says: /record of 113 bytes exceeds 112/,
  },
  {
    name: "a GNU long name",
    layers: [archive().gnuLongName("app/" + "n".repeat(100)).file("x", "A")],
    enough: 105,
    settings: (maxPaxSize) => ({ maxPaxSize }),
    says: /record of 105 bytes exceeds 104/,
  },
];

for (const { name, layers, enough, settings, says } of LIMITS) {
  decoderTest(`limit at its edge: ${name}`, async () => {
    const tars = layers.map((layer) => layer.build());
    await withRoot(async (root) => {
      const { error } = await extractArchives({ layers: tars, root, settings: settings(enough) });
      assertEquals(error?.message, undefined);
    });
    await withRoot(async (root) => {
      const refused = await extractArchives({ layers: tars, root, settings: settings(enough - 1) });
      assertEquals(refused.error?.exit, Exit.data);
      assert(says.test(refused.error!.message), refused.error!.message);
      assertEquals([...Deno.readDirSync(root)], []);
    });
  });
}
