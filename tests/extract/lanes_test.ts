import { assertEquals } from "@std/assert/equals.js";
import { archive } from "../archive_builder.ts";
import { peerTest } from "../peers.ts";
import { execute } from "../programs.ts";
import { writeLayout } from "../registry/layout.ts";
import { runnerCommand, runnerEnv } from "../runner.ts";
import { withRoot } from "./harness.ts";
import { shape } from "./shape.ts";

peerTest(
  "on one core, without any Worker, layers become the same",
  ["taskset"],
  () =>
    withRoot(async (dir) => {
      const layers = [
        archive().file("app/a", "1").file("app/b", "1"),
        archive().whiteout("app/b").file("app/c", "2"),
        archive().dir("app", { mode: 0o750 }).file("app/c", "3"),
      ];
      await writeLayout(`${dir}/layout`, {
        tag: "t",
        layers: layers.map((layer) => ({ tar: layer.build() })),
        config: { Cmd: ["/app/a"] },
      });
      const args = ["-c", "0", ...runnerCommand(), "pull", `oci:${dir}/layout:t`];
      const { code, stderr } = await execute("taskset", [...args, "--root", `${dir}/root`], {
        env: runnerEnv(),
        clearEnv: true,
      });
      assertEquals(code, 0, stderr);
      assertEquals(await shape(`${dir}/root`, ["app"]), {
        "app": "dir 750",
        "app/a": "file 644 1",
        "app/c": "file 644 3",
      });
    }),
);
