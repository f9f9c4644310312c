import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** What a client sees of a running MCP server. */
export interface Conversation {
  readonly server: string;
  readonly tools: readonly string[];
  /** The text that the `echo` tool answered. */
  readonly echoed: string;
}

/** Connects over streamable HTTP, lists the tools, calls `echo`, ends the session. */
export async function converse(url: string): Promise<Conversation> {
  const client = new Client({ name: "fastmcp-runner-demo", version: "0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  try {
    const { tools } = await client.listTools();
    const answer = await client.callTool({
      name: "echo",
      arguments: { message: "hello from the demo" },
    });
    const server = client.getServerVersion();
    return {
      server: `${server?.title ?? server?.name} ${server?.version}`,
      tools: tools.map(({ name }) => name),
      echoed: answer.content.map((part) => part.type === "text" ? part.text : part.type).join(" "),
    };
  } finally {
    await client.close();
  }
}

/**
 * Resolves when something answers HTTP at `url`, whatever its status.
 *
 * @throws when `ended` resolves first or nothing answers within `timeoutMs`
 */
export async function answering(
  url: string,
  ended: Promise<Deno.CommandStatus>,
  timeoutMs: number,
): Promise<void> {
  let status: Deno.CommandStatus | undefined;
  ended.then((it) => status = it);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      const response = await fetch(url, { headers: { accept: "application/json" } });
      await response.body?.cancel();
      return;
    } catch (cause) {
      if (status) throw new Error(`the runner ended with status ${status.code}`);
      if (Date.now() > deadline) throw new Error(`nothing answers at ${url}`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What the kernel says of a process (proc(5)). */
export async function processFacts(pid: number): Promise<ReadonlyMap<string, string>> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return new Map(
    status.trim().split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}
