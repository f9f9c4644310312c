/** Real FastMCP servers, of npm and of PyPI, started by the runner and spoken to by an MCP client. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { findNode } from "../scripts/demo/node.ts";
import { answering } from "../scripts/demo/server.ts";
import { npmFastmcp, pypiFastmcp } from "./launch/servers.ts";
import { peerTest } from "./peers.ts";
import { freePort } from "./ports.ts";
import { type ImageInput, writeLayout } from "./registry/layout.ts";
import { run, start } from "./runner.ts";

const SERVER_UID = Deno.uid() || 1000;
const START_MS = 60_000;

/** What a client sees: the server's name and what its tool \`whoami\` answers. */
async function converse(url: string): Promise<{ name: string | undefined; answer: string }> {
  const client = new Client({ name: "fastmcp-runner-test", version: "0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  try {
    const { tools } = await client.listTools();
    assertEquals(tools.map(({ name }) => name), ["whoami"]);
    const { content } = await client.callTool({ name: "whoami", arguments: {} });
    const answer = content.map((part) => part.type === "text" ? part.text : part.type).join();
    return { name: client.getServerVersion()?.name, answer };
  } finally {
    await client.close();
  }
}

interface Serve {
  readonly image: ImageInput;
  readonly env?: Readonly<Record<string, string>>;
  readonly name: string;
  /** What the health probe finds out by. */
  readonly health: string;
}

async function serves(work: string, { image, env = {}, name, health }: Serve): Promise<void> {
  const layout = await Deno.makeTempDir({ dir: work });
  await writeLayout(layout, { ...image, tag: "latest" });
  const root = await Deno.makeTempDir({ dir: work });
  await Deno.chmod(root, 0o755);
  const port = String(freePort());
  const url = `http://127.0.0.1:${port}/mcp`;
  const server = start([], {
    env: { IMAGE: `oci:${layout}`, PORT: port, RUNNER_ROOT: root, MCP_HOST: "127.0.0.1", ...env },
  });
  try {
    await answering(url, server.status, START_MS);
    assertEquals(await converse(url), { name, answer: String(SERVER_UID) });
    const probe = await run(["health"], { env: { PORT: port, HTTP_PROXY: "http://127.0.0.1:9" } });
    assertEquals(probe.code, 0, probe.stderr);
    assertStringIncludes(probe.stderr, health);
  } catch (cause) {
    throw new Error(`the server did not serve:\n${server.stderr()}${server.stdout()}`, { cause });
  } finally {
    await server.stop();
  }
}

async function inWork(run: (work: string) => Promise<void>): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "fastmcp-" });
  await Deno.chmod(work, 0o755);
  try {
    await run(work);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

peerTest("npm's fastmcp serves MCP", ["npm", "node"], () =>
  inWork(async (work) => {
    const node = await findNode(SERVER_UID, `${work}/bin`);
    const image = await npmFastmcp(`${work}/npm`);
    await serves(work, {
      image,
      env: { MCP_ENV_PATH: `${node.path.slice(0, node.path.lastIndexOf("/"))}:/usr/bin:/bin` },
      name: "Node server",
      health: "/health answers 200",
    });
  }));

peerTest(
  "PyPI's FastMCP serves MCP from its venv in /app/.venv",
  ["python3", "pip"],
  (t) =>
    inWork(async (work) => {
      const image = await pypiFastmcp(`${work}/py`, ["python", "server.py"]);
      const served = { name: "Python server", health: "/mcp answers MCP" };
      await t.step("by its interpreter", () => serves(work, { image, ...served }));

      const script = ["fastmcp", "run", "server.py", "--no-banner"];
      const byScript = { ...image, config: { ...image.config, Cmd: script } };
      await t.step("by its script, with a Space's host allowed", () =>
        serves(work, {
          image: byScript,
          env: { SPACE_HOST: "org-name.hf.space" },
          ...served,
        }));
    }),
);
