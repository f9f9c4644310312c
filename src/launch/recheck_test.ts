import { assertEquals } from "@std/assert/equals.js";
import { brokenPromises } from "./recheck.ts";

const STATUS = `Name:	deno
Umask:	0022
Uid:	1000	1000	1000	1000
Gid:	1000	1000	1000	1000
Groups:	33 1000 
NoNewPrivs:	1
SigBlk:	0000000000000000
SigIgn:	0000000000000000
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
`;
const PROMISED = {
  user: { kind: "become", uid: 1000, gid: 1000, groups: [1000, 33] },
  umask: 0o022,
  boundingSetEmpty: true,
} as const;

Deno.test("a thread that is as promised passes", () => {
  assertEquals(brokenPromises(STATUS, PROMISED), []);
});

const BROKEN: readonly [from: string, to: string, line: string][] = [
  [
    "Uid:	1000	1000	1000",
    "Uid:	1000	1000	0",
    "Uid is 1000 1000 0 1000 instead of 1000 1000 1000 1000",
  ],
  ["Gid:	1000", "Gid:	0", "Gid is 0 1000 1000 1000 instead of 1000 1000 1000 1000"],
  ["Groups:	33 1000 ", "Groups:	0 33 1000 ", "Groups is 0 33 1000 instead of 33 1000"],
  ["NoNewPrivs:	1", "NoNewPrivs:	0", "NoNewPrivs is 0 instead of 1"],
  ["NoNewPrivs:	1\n", "", "NoNewPrivs is not told instead of 1"],
  ["Umask:	0022", "Umask:	0000", "Umask is 0000 instead of 0022"],
  ...["SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((
    name,
  ): [string, string, string] => [
    `${name}:	0000000000000000`,
    `${name}:	0000000000000400`,
    `${name} is 0000000000000400 instead of 0000000000000000`,
  ]),
];

Deno.test("each broken promise is told", () => {
  for (const [from, to, line] of BROKEN) {
    assertEquals(brokenPromises(STATUS.replace(from, to), PROMISED), [line]);
  }
});

Deno.test("a plain user's groups and bounding set are not ours", () => {
  const status = STATUS.replace("33 1000", "7").replace(/CapBnd:.*/, "CapBnd:	000001ffffffffff");
  const user = { kind: "stay", uid: 1000, gid: 1000 } as const;
  assertEquals(brokenPromises(status, { user, umask: 0o022, boundingSetEmpty: false }), []);
});
