import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import { parseSettings } from "../config/parse.ts";
import { RunnerError } from "../errors.ts";
import { createLogger } from "../log.ts";
import { type Facts, type FileFacts } from "./facts.ts";
import { fakeFacts } from "./fake_facts.ts";
import {
  checkCapabilities,
  checkImageWritable,
  checkReach,
  checkWritable,
  openRoot,
} from "./preflight.ts";

function checkOf(root: string, facts: Facts, whyNot: (path: string) => string | undefined) {
  const lines: string[] = [];
  const log = createLogger({ level: "info", format: "text", write: (line) => lines.push(line) });
  const settings = parseSettings({ values: {} }, { RUNNER_ROOT: root });
  return { check: { settings, facts, uid: 1000, log, whyNot }, lines };
}

const TREE = fakeFacts({
  "/app/x": {},
  "/data/x": {},
  "/opt/x": {},
  "/var/lib/x": {},
  "/home/x": {},
});

Deno.test("nothing to say where all can be written", () => {
  const { check, lines } = checkOf("/", TREE, () => undefined);
  assertEquals([checkWritable(check), lines], [[], []]);
});

Deno.test("a plain user who can write nothing is told before the download", () => {
  const { check } = checkOf("/", TREE, () => "permission denied");
  const error = assertThrows(() => checkWritable(check), RunnerError);
  assertEquals(error instanceof RunnerError && error.exit, 73);
  assertEquals(
    error.message,
    "uid 1000 cannot write /app, /data, /home, /opt, /srv, /var/lib, /var/data, " +
      "/usr/local/lib/node_modules: permission denied: " +
      "set RUNNER_ROOT to a directory it can write, or give it these in the Dockerfile (chown 1000)",
  );
});

Deno.test("a directory not there is judged by the nearest that is", () => {
  const asked: string[] = [];
  const { check } = checkOf("/tmp/r", fakeFacts({ "/tmp/x": {} }), (path) => {
    asked.push(path);
    return undefined;
  });
  checkWritable(check);
  assertEquals([...new Set(asked)], ["/tmp"]);
});

Deno.test("some directories: a warning, and a refusal once the image needs one of them", () => {
  const own = new Set(["/app", "/data"]);
  const { check, lines } = checkOf("/", TREE, (path) => own.has(path) ? undefined : "read-only");
  const unwritable = checkWritable(check);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "[WARN]  uid 1000 cannot write /home, /opt, /srv, /var/lib");
  const config = { env: [], entrypoint: ["node"], cmd: ["/app/x"], workingDir: "/app", user: "" };
  checkImageWritable(check, config, unwritable);
  const error = assertThrows(
    () => checkImageWritable(check, { ...config, workingDir: "/opt/server" }, unwritable),
    RunnerError,
    "uid 1000 cannot write /opt: read-only",
  );
  assertEquals(error instanceof RunnerError && error.exit, 73);
});

function modes(tree: Record<string, Partial<FileFacts>>): Facts {
  const info = (path: string): FileFacts | undefined =>
    tree[path] && { kind: "directory", mode: 0o755, uid: 0, gid: 0, ...tree[path] };
  return { ...fakeFacts({}), stat: info };
}

const USER = { uid: 1000, gid: 1000 };

Deno.test("a root made for its owner alone is opened to the server's user", () => {
  const changed: [string, number][] = [];
  const open = (facts: Facts, root = "/tmp/r") => {
    const { check, lines } = checkOf(root, facts, () => undefined);
    openRoot(check, USER, (path, mode) => changed.push([path, mode]));
    return lines.length;
  };
  const tmp = { "/": {}, "/tmp": { mode: 0o1777 } };
  assertEquals(open(modes({ ...tmp, "/tmp/r": { mode: 0o700 } })), 1);
  assertEquals(changed.splice(0), [["/tmp/r", 0o701]]);
  assertEquals(open(modes({ ...tmp, "/tmp/r": {} })), 0);
  assertEquals(open(modes({ ...tmp, "/tmp/r": { mode: 0o700, uid: 1000 } })), 0);
  assertEquals(open(modes({ ...tmp, "/tmp/r": { mode: 0o710, gid: 1000 } })), 0);
  assertEquals(open(modes(tmp)), 0);
  assertEquals(open(modes({ "/": { mode: 0o700 } }), "/"), 0);
  assertEquals(changed, []);
});

Deno.test("a directory above the root that keeps the user out is a refusal", () => {
  const facts = modes({ "/": {}, "/root": { mode: 0o700 }, "/root/r": {} });
  const { check } = checkOf("/root/r", facts, () => undefined);
  assertThrows(() => checkReach(check, USER), RunnerError, `"/root" has mode 0700`);
  checkReach(check, { uid: 0, gid: 0 });
});

Deno.test("a root that may not change its user is told before the download", () => {
  checkCapabilities("CapPrm:\t00000000000000c0\nCapEff:\t00000000000000c0\n");
  const lacks = (status: string, what: string) =>
    assertThrows(() => checkCapabilities(status), RunnerError, `the container lacks ${what}: add`);
  lacks("CapEff:\t0000000000000080\n", "CAP_SETGID");
  lacks("CapEff:\t0000000000000000\n", "CAP_SETGID and CAP_SETUID");
  lacks("CapEff:\t000001fffeffff7f\n", "CAP_SETUID");
  lacks("", "CAP_SETGID and CAP_SETUID");
});
