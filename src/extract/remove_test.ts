import { assertEquals } from "@std/assert/equals.js";
import { Directory } from "../os/directory.ts";
import { removeTree } from "./remove.ts";

Deno.test("what is far deeper than descriptors go is removed, and nothing beside it", () => {
  const path = Deno.makeTempDirSync();
  try {
    using parent = Directory.at(path);
    for (let repeat = 0; repeat < 2; repeat++) {
      parent.mkdir("tree", 0o755);
      let at = parent.child("tree");
      for (let depth = 0; depth < 300; depth++) {
        at.create("file").close();
        at.symlink("/", "link");
        at.mkdir("d", 0o755);
        const next = at.child("d");
        at[Symbol.dispose]();
        at = next;
      }
      at[Symbol.dispose]();
      parent.mkdir("beside", 0o755);
      removeTree(parent, "tree");
      assertEquals([...parent.names()], ["beside"]);
      removeTree(parent, "beside");
    }
    removeTree(parent, "none");
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
