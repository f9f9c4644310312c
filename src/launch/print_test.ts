import { assertEquals } from "@std/assert/equals.js";
import type { ExecPlan } from "./plan.ts";
import { printed } from "./print.ts";

const PLAN: ExecPlan = {
  file: "/app/server",
  argv: ["server", "--api-key", "hunter2", "--token=hunter2", "--db", "pg://u:hunter2@h/x", "a b"],
  env: {
    PATH: "/bin",
    GIVEN: "hunter2",
    HF_X: "hunter2",
    DB_PASSWORD: "hunter2",
    EMPTY_TOKEN: "",
    URL: "https://u:hunter2@h/",
  },
  cwd: "/app",
  user: { kind: "become", uid: 1000, gid: 1000, groups: [1000] },
  umask: 0o022,
  warnings: ["w"],
};
const SETTINGS = { serverEnv: { GIVEN: "hunter2" }, passEnv: ["HF_*"] };

Deno.test("a plan for people, secrets masked", () => {
  assertEquals(
    printed(PLAN, SETTINGS, false),
    `program    /app/server
arguments  server --api-key *** --token=*** --db pg://***@h/x "a b"
directory  /app
user       1000:1000 groups 1000
umask      0022
variable   PATH=/bin
variable   GIVEN=***
variable   HF_X=***
variable   DB_PASSWORD=***
variable   EMPTY_TOKEN=""
variable   URL=https://***@h/
warning    w
`,
  );
});

Deno.test("a plan as JSON, secrets masked", () => {
  const text = printed(PLAN, SETTINGS, true);
  assertEquals(text.includes("hunter2"), false);
  assertEquals(JSON.parse(text).user, PLAN.user);
  assertEquals(JSON.parse(text).umask, "0022");
});
