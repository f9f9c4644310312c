import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { commandlessImage, dumpImage } from "./e2e_images.ts";
import { type Hub, openHub } from "./e2e_hub.ts";
import { peerTest } from "./peers.ts";
import { freePort } from "./ports.ts";
import { run } from "./runner.ts";
import { listTree } from "./tree.ts";

/** A run that must fail: one clear line, the contract's status, an untouched root. */
interface Failure {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env: (hub: Hub) => Record<string, string>;
  readonly exit: number;
  /** One for each line that is expected, in any order. */
  readonly says: readonly RegExp[];
}

const OPEN: readonly Failure[] = [
  {
    name: "a port out of range",
    env: ({ host }) => ({ IMAGE: `${host}/test/dump:latest`, PORT: "70000" }),
    exit: 64,
    says: [/PORT.*"70000".*1 to 65535/],
  },
  {
    name: "no image",
    env: () => ({ PORT: "3901" }),
    exit: 64,
    says: [/IMAGE.*not set/],
  },
  {
    name: "several wrong settings at once",
    env: () => ({ PORT: "0x10", LOG_LEVEL: "loud", MCP_PATH: "mcp", REGISTRY_USER: "me" }),
    exit: 64,
    says: [/IMAGE/, /PORT.*"0x10"/, /LOG_LEVEL.*"loud"/, /MCP_PATH.*"mcp"/, /REGISTRY_PASSWORD/],
  },
  {
    name: "an image name that is none",
    env: ({ host }) => ({ IMAGE: `${host}/Test/dump:latest`, PORT: "3901" }),
    exit: 64,
    says: [/Test\/dump/],
  },
  {
    name: "an unknown command line flag",
    args: ["--no-such-flag"],
    env: ({ host }) => ({ IMAGE: `${host}/test/dump:latest`, PORT: "3901" }),
    exit: 64,
    says: [/no-such-flag/],
  },
  {
    name: "an unknown tag",
    env: ({ host }) => ({ IMAGE: `${host}/test/dump:nope`, PORT: "3901" }),
    exit: 69,
    says: [/test\/dump:nope/],
  },
  {
    name: "an unknown repository",
    env: ({ host }) => ({ IMAGE: `${host}/test/nope:latest`, PORT: "3901" }),
    exit: 69,
    says: [/test\/nope/],
  },
  {
    name: "an unreachable registry",
    env: () => ({ IMAGE: `127.0.0.1:${freePort()}/test/dump:latest`, PORT: "3901" }),
    exit: 69,
    says: [/127\.0\.0\.1/],
  },
  {
    name: "an image without a command",
    env: ({ host }) => ({ IMAGE: `${host}/test/commandless:latest`, PORT: "3901" }),
    exit: 65,
    says: [/command/],
  },
];

const PASSWORD = "right-pass-4711";
const WRONG = "wrong-pass-0815";

const LOGIN: readonly Failure[] = [
  {
    name: "a wrong password",
    env: ({ host }) => ({
      IMAGE: `${host}/test/dump:latest`,
      PORT: "3901",
      REGISTRY_USER: "alice",
      REGISTRY_PASSWORD: WRONG,
    }),
    exit: 77,
    says: [/127\.0\.0\.1.*(401|login|refused|denied|unauthorized)/i],
  },
  {
    name: "no login where one is asked for",
    env: ({ host }) => ({ IMAGE: `${host}/test/dump:latest`, PORT: "3901" }),
    exit: 77,
    says: [/REGISTRY_USER|login/],
  },
];

async function mustFail(t: Deno.TestContext, hub: Hub, rows: readonly Failure[]): Promise<void> {
  for (const row of rows) {
    await t.step(row.name, async () => {
      const root = await Deno.makeTempDir({ prefix: "root-" });
      try {
        await Deno.chmod(root, 0o755);
        await Deno.mkdir(`${root}/app`);
        await Deno.writeTextFile(`${root}/app/mine.txt`, "mine");
        const before = listTree(root);
        const { code, stdout, stderr } = await run(row.args ?? [], {
          env: { RUNNER_ROOT: root, ...row.env(hub) },
          timeoutMs: 60_000,
        });
        const errors = stderr.split("\n").filter((line) => /\[ERROR\]|^fastmcp-runner:/.test(line));
        assertEquals(code, row.exit, stderr);
        assertEquals(errors.length, row.says.length, stderr);
        for (const pattern of row.says) assertMatch(errors.join("\n"), pattern);
        assertEquals(stdout, "");
        assertEquals(/^\s+at .*:\d+/m.test(stderr), false, `a stack trace:\n${stderr}`);
        for (const secret of [PASSWORD, WRONG]) assertEquals(stderr.includes(secret), false);
        assertEquals(listTree(root), before);
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    });
  }
}

async function fill(hub: Hub): Promise<void> {
  await hub.put("test/dump", "latest", dumpImage());
  await hub.put("test/commandless", "latest", commandlessImage());
}

Deno.test("errors, against the embedded registry", async (t) => {
  const hub = await openHub("embedded");
  try {
    await fill(hub);
    await mustFail(t, hub, OPEN);
  } finally {
    await hub.close();
  }
});

peerTest("errors, against the distribution registry", ["docker-registry", "skopeo"], async (t) => {
  const hub = await openHub("distribution");
  try {
    await fill(hub);
    await mustFail(t, hub, OPEN);
  } finally {
    await hub.close();
  }
});

Deno.test("a private root stays private when the run fails", async () => {
  const hub = await openHub("embedded");
  const root = await Deno.makeTempDir({ prefix: "root-" });
  try {
    const env = { RUNNER_ROOT: root, IMAGE: `${hub.host}/test/dump:nope`, PORT: "3901" };
    const before = listTree(root);
    const { code, stderr } = await run([], { env });
    assertEquals(code, 69, stderr);
    assertEquals(listTree(root), before);
  } finally {
    await hub.close();
    await Deno.remove(root, { recursive: true });
  }
});

peerTest(
  "errors of a registry with logins",
  ["docker-registry", "skopeo", "htpasswd"],
  async (t) => {
    const hub = await openHub("distribution", { alice: PASSWORD });
    try {
      await fill(hub);
      await mustFail(t, hub, LOGIN);
    } finally {
      await hub.close();
    }
  },
);
