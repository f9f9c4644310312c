import { assertEquals } from "@std/assert/equals.js";
import { asFound, openFilesOf } from "./limits.ts";

const NOW = { soft: 20_000n, hard: 20_000n };

Deno.test("a limit is given back as it was found, never above what is allowed now", () => {
  assertEquals(asFound(undefined, NOW), NOW);
  assertEquals(asFound("1024:20000", NOW), { soft: 1024n, hard: 20_000n });
  assertEquals(asFound("1024:4096", NOW), { soft: 1024n, hard: 4096n });
  assertEquals(asFound("1024", NOW), { soft: 1024n, hard: 20_000n });
  assertEquals(asFound("unlimited:unlimited", NOW), NOW);
  assertEquals(asFound("9000:4096", NOW), { soft: 4096n, hard: 4096n });
  assertEquals(asFound("x:1", NOW), NOW);
});

Deno.test("the limit on open files is read from /proc/PID/limits", () => {
  const text = "Limit                     Soft Limit           Hard Limit           Units\n" +
    "Max open files            1024                 524288               files     \n";
  assertEquals(openFilesOf(text), "1024:524288");
  assertEquals(openFilesOf(""), undefined);
});
