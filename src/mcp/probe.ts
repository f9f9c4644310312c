import * as z from "zod/mini";
import { VERSION } from "../cli/version.ts";

/** The last protocol version with sessions, which sessionless servers answer too. */
const PROTOCOL_VERSION = "2025-11-25";

/** Most an answer to `initialize` is read of before it is told whether it is one. */
const MAX_ANSWER = 256 * 1024;

const Answer = z.union([
  z.object({ jsonrpc: z.literal("2.0"), result: z.looseObject({}) }),
  z.object({
    jsonrpc: z.literal("2.0"),
    error: z.looseObject({ code: z.number(), message: z.string() }),
  }),
]);

/** `initialize` by streamable HTTP (MCP 2025-11-25, lifecycle and transports). */
export function initializeRequest(): RequestInit {
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "accept": "application/json, text/event-stream",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: {
        protocolVersion: PROTOCOL_VERSION,
        capabilities: {},
        clientInfo: { name: "fastmcp-runner-health", version: VERSION },
      },
    }),
  };
}

/**
 * Whether a response is an MCP server's: a JSON-RPC answer (an error is one too), as JSON or as the
 * first event of a stream, or the `endpoint` event of HTTP+SSE (2024-11-05). A stream is never read
 * to its end.
 */
export async function isMcpAnswer(response: Response): Promise<boolean> {
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null) return false;
  const stream = type.startsWith("text/event-stream");
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    const verdict = stream ? eventVerdict(text) : undefined;
    if (verdict !== undefined) return verdict;
    if (text.length > MAX_ANSWER) return false;
  }
  return !stream && isAnswer(text);
}

/** @returns undefined while no event that tells has come */
function eventVerdict(text: string): boolean | undefined {
  // Only whole events: each ends in an empty line.
  for (const event of text.split(/\r\n\r\n|\n\n|\r\r/).slice(0, -1)) {
    const lines = event.split(/\r\n|\n|\r/);
    const field = (name: string) =>
      lines.filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).replace(/^ /, ""));
    const data = field("data").join("\n");
    if (field("event").includes("endpoint") && data !== "") return true;
    if (data !== "") return isAnswer(data);
  }
  return undefined;
}

function isAnswer(text: string): boolean {
  try {
    return Answer.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/**
 * Ends the session that the probe began, if it did, so that probes leave none behind. A server that
 * does not let clients end sessions is no less healthy.
 */
export async function closeSession(
  response: Response,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const session = response.headers.get("mcp-session-id");
  if (session === null) return;
  const headers = { "mcp-session-id": session, "mcp-protocol-version": PROTOCOL_VERSION };
  const init: RequestInit = { method: "DELETE", headers, signal, redirect: "manual" };
  await fetch(url, init).then((closed) => closed.body?.cancel()).catch(() => {});
}
