import { WARNINGS } from "../scripts/compile/launcher.ts";
import { peerTest } from "./peers.ts";
import { succeed } from "./programs.ts";

const helper = new URL("../helper/", import.meta.url).pathname;

peerTest("the launcher builds its stack within bounds, under the sanitisers", ["cc"], async () => {
  const folder = await Deno.makeTempDir({ prefix: "launcher-" });
  try {
    const sources = ["stack_test.c", "stack.c", "hidden.c", "text.c"];
    await succeed("cc", [
      ...WARNINGS,
      "-g",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
      "-o",
      `${folder}/test`,
      ...sources.map((source) => helper + source),
    ]);
    await succeed(`${folder}/test`, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
