import { assertEquals } from "@std/assert/equals.js";
import { Allowlist, type Place } from "./allowlist.ts";

const PLACES: Readonly<Record<string, Place>> = {
  "": "ancestor",
  "app": "inside",
  "app/x/y": "inside",
  "apple": "outside",
  "usr": "ancestor",
  "usr/lib": "ancestor",
  "usr/lib/python3": "ancestor",
  "usr/lib/python3.12/site-packages": "inside",
  "usr/lib/python3.12/site-packages/a": "inside",
  "usr/lib/python3.12/lib-dynload": "outside",
  "usr/lib/pythons": "ancestor",
  "usr/lib/perl": "outside",
  "usr/local/lib/python3.13/site-packages/a": "inside",
  "usr/local/lib/node_modules": "inside",
  "usr/local/bin": "outside",
  "var": "ancestor",
  "var/lib": "inside",
  "var/lib/mine": "inside",
  "var/lib/dpkg": "outside",
  "var/lib/dpkg/status": "outside",
  "var/lib/dpkg-mine": "inside",
  "var/data/x": "inside",
  "var/log": "outside",
  "etc/passwd": "outside",
};

Deno.test("where paths stand to the contract's list", () => {
  const allowlist = new Allowlist([]);
  for (const [path, place] of Object.entries(PLACES)) {
    assertEquals(allowlist.place(path), place, path);
    // Whatever was asked before.
    for (const before of Object.keys(PLACES)) {
      allowlist.place(before);
      assertEquals(allowlist.place(path), place, `${path} after ${before}`);
    }
  }
});

Deno.test("paths the user adds are inside, package state among them", () => {
  const allowlist = new Allowlist(["/usr/share/mine/", "/var/lib/dpkg", "/é"]);
  assertEquals(allowlist.place("usr/share"), "ancestor");
  assertEquals(allowlist.place("usr/share/mine/a"), "inside");
  assertEquals(allowlist.place("var/lib/dpkg/status"), "inside");
  assertEquals(allowlist.place("var/lib/apt/lists"), "outside");
  assertEquals(allowlist.place("\u00c3\u00a9/a"), "inside", "names are bytes");
});

Deno.test("the server's own directories", () => {
  const allowlist = new Allowlist([]);
  assertEquals(
    ["app", "app/x", "data/x", "opt", "application"].map((path) => allowlist.isServerOwned(path)),
    [true, true, true, false, false],
  );
});
