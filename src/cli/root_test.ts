import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { RunnerError } from "../errors.ts";
import { makeRoot } from "./root.ts";

const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test("a root is made, and unmade while it is empty", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const unmake = makeRoot(`${dir}/a/b`);
    assertEquals([mode(`${dir}/a`), mode(`${dir}/a/b`)], [0o755, 0o755]);
    unmake();
    assertEquals([...Deno.readDirSync(dir)], []);

    const keep = makeRoot(`${dir}/a/b`);
    Deno.writeTextFileSync(`${dir}/a/x`, "");
    keep();
    assertEquals([...Deno.readDirSync(`${dir}/a`)].map(({ name }) => name), ["x"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a root that is there stays as it is", async () => {
  const dir = await Deno.makeTempDir();
  try {
    makeRoot(dir)();
    assertEquals(mode(dir), 0o700);
    makeRoot("/")();
    Deno.writeTextFileSync(`${dir}/file`, "");
    const error = assertThrows(() => makeRoot(`${dir}/file/x`), RunnerError, "cannot make");
    assertEquals(error instanceof RunnerError && error.exit, 73);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
