import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { RunnerError } from "../errors.ts";
import { isNumeric, ownerOf, resolveUser, userSpec } from "./user.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const FILES = {
  passwd: encode(
    "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:App:/home/app:/bin/sh\n" +
      "bad\nodd:x:-1:x::/:\nzero:x:0:5::/:\nhuge:x:4294967295:1::/:\n",
  ),
  group: encode("root:x:0:\napp:x:1002:\nwww:x:33:nobody,app\nextra:x:44:app\nbad:x:y:app\n"),
};
const NO_FILES = { passwd: undefined, group: undefined };

const RESOLVED: readonly [string, string | undefined, readonly [number, number, number[]]][] = [
  ["1000:1000", undefined, [1000, 1000, [1000]]],
  ["1000:0", undefined, [1000, 0, [0]]],
  ["1234", undefined, [1234, 1234, [1234]]],
  ["1001", undefined, [1001, 1002, [1002, 33, 44]]],
  ["1001:7", undefined, [1001, 7, [7]]],
  ["app", undefined, [1001, 1002, [1002, 33, 44]]],
  ["app:www", undefined, [1001, 33, [33]]],
  ["app:9", undefined, [1001, 9, [9]]],
  ["1000:www", undefined, [1000, 33, [33]]],
  ["image", "app", [1001, 1002, [1002, 33, 44]]],
  ["image", "65532:65532", [65532, 65532, [65532]]],
];

Deno.test("users are those of the image's own files", async (t) => {
  for (const [setting, image, [uid, gid, groups]] of RESOLVED) {
    await t.step(`${setting} ${image ?? ""}`, () => {
      const user = resolveUser(userSpec(setting, image), FILES, false);
      assertEquals([user.uid, user.gid, user.groups], [uid, gid, groups]);
    });
  }
  assertEquals(resolveUser(userSpec("app", undefined), FILES, false).home, "/home/app");
});

Deno.test("root only where it is allowed", () => {
  for (
    const [setting, image] of [["0:0"], ["0"], ["00"], ["root"], ["zero"], ["image", ""], [
      "image",
    ]] as const
  ) {
    const spec = userSpec(setting, image);
    const error = assertThrows(() => resolveUser(spec, FILES, false), RunnerError, "that is root");
    assertEquals(error instanceof RunnerError && error.exit, 64);
    assertEquals(resolveUser(spec, FILES, true).uid, 0);
  }
});

Deno.test("names that are not there are refused", () => {
  for (const setting of ["nobody", "app:nogroup", "odd", "huge", "bad", "app:bad"]) {
    assertThrows(() => resolveUser(userSpec(setting, undefined), FILES, false), RunnerError);
  }
  assertThrows(() => resolveUser(userSpec("app", undefined), NO_FILES, false), RunnerError);
});

Deno.test("an owner by number is known at once, another when the files are", () => {
  assertEquals(isNumeric(userSpec("5:app", undefined)), false);
  const known = ownerOf(userSpec("5:6", undefined), false);
  assertEquals(typeof known === "object" && [known.uid, known.gid], [5, 6]);
  assertThrows(() => ownerOf(userSpec("0:0", undefined), false), RunnerError);
  const later = ownerOf(userSpec("app", undefined), false);
  assertEquals(typeof later === "function" && later(FILES).gid, 1002);
});
