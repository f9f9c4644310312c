import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { probe } from "./health.ts";

const RESULT = { jsonrpc: "2.0", id: 1, result: { protocolVersion: "2025-11-25" } };
const ERROR = { jsonrpc: "2.0", id: null, error: { code: -32000, message: "no session" } };

type Handler = (request: Request, path: string) => Response | Promise<Response>;

const json = (value: unknown, init?: ResponseInit) => Response.json(value, init);
const none = () => new Response("no", { status: 404 });

/** A stream of one event that never ends. */
function events(text: string): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

const onMcp = (answer: (request: Request) => Response): Handler => (request, path) =>
  path === "/mcp" ? answer(request) : none();

const CASES: readonly [string, Handler, boolean, RegExp, ("sse" | "streamable-http")?][] = [
  ["2xx", () => new Response(null, { status: 204 }), true, /health answers 204/],
  ["500", () => new Response("x", { status: 500 }), false, /health answers 500$/],
  ["401 on the health path", () => new Response("x", { status: 401 }), false, /answers 401$/],
  [
    "421",
    () => new Response("Misdirected Request", { status: 421 }),
    false,
    /answers 421: it refuses the Host header "127\.0\.0\.1:\d+"/,
  ],
  ["403", () => new Response("x", { status: 403 }), false, /403: it refuses the Host header/],
  ["404, MCP as JSON", onMcp(() => json(RESULT)), true, /mcp answers MCP/],
  ["404, MCP answers an error", onMcp(() => json(ERROR, { status: 400 })), true, /answers MCP/],
  [
    "404, MCP as a stream that never ends",
    onMcp(() => events(`event: message\ndata: ${JSON.stringify(RESULT)}\n\n`)),
    true,
    /answers MCP/,
  ],
  [
    "405, MCP behind a redirect",
    (request, path) =>
      path === "/mcp"
        ? Response.redirect(new URL("/mcp/", request.url), 307)
        : path === "/mcp/"
        ? json(RESULT)
        : new Response("x", { status: 405 }),
    true,
    /answers MCP/,
  ],
  [
    "404, MCP wants authorization",
    onMcp(() => new Response("x", { status: 401 })),
    true,
    /\(401\)/,
  ],
  [
    "404, MCP 421",
    onMcp(() => new Response("x", { status: 421 })),
    false,
    /refuses the Host header/,
  ],
  ["404 everywhere", none, false, /mcp answers 404$/],
  ["404, another JSON", onMcp(() => json({ hello: 1 })), false, /answers 200, but not as MCP does/],
  ["404, a web page", onMcp(() => new Response("<html>")), false, /but not as MCP does/],
  ["404, MCP fails", onMcp(() => json(ERROR, { status: 500 })), false, /mcp answers 500$/],
  [
    "404, HTTP+SSE",
    onMcp(() => events("event: endpoint\ndata: /messages?sessionId=1\n\n")),
    true,
    /answers MCP/,
    "sse",
  ],
];

async function against(
  handler: Handler,
  limitMs: number,
  mcpTransport: "sse" | "streamable-http" = "streamable-http",
) {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => handler(request, new URL(request.url).pathname),
  );
  try {
    return await probe(
      { port: server.addr.port, mcpPath: "/mcp", healthcheckPath: "/health", mcpTransport },
      AbortSignal.timeout(limitMs),
    );
  } finally {
    await server.shutdown();
  }
}

Deno.test("what a server answers decides its health", async (t) => {
  for (const [name, handler, healthy, message, transport] of CASES) {
    await t.step(name, async () => {
      const result = await against(handler, 5_000, transport);
      assertEquals(result.healthy, healthy, result.message);
      assertMatch(result.message, message);
    });
  }
});

Deno.test("the session a probe begins is ended", async () => {
  const ended: (string | null)[] = [];
  const result = await against(
    onMcp((request) => {
      if (request.method === "DELETE") {
        ended.push(request.headers.get("mcp-session-id"));
        return new Response(null, { status: 405 });
      }
      return json(RESULT, { headers: { "mcp-session-id": "s-1" } });
    }),
    5_000,
  );
  assertEquals([result.healthy, ended], [true, ["s-1"]]);
});

Deno.test("a redirect to another server is not followed", async () => {
  let asked = false;
  const other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    asked = true;
    return new Response("ok");
  });
  const result = await against(
    () => Response.redirect(`http://127.0.0.1:${other.addr.port}/health`),
    5_000,
  );
  await other.shutdown();
  assertEquals([result.healthy, asked], [false, false]);
});

Deno.test("a server that does not answer is unhealthy in time", async () => {
  const held = Promise.withResolvers<Response>();
  const timer = setTimeout(() => held.resolve(none()), 1_000);
  const result = await against(() => held.promise, 200);
  clearTimeout(timer);
  held.resolve(none());
  assertEquals(result.healthy, false);
  assertMatch(result.message, /did not answer within 10 s/);
});

Deno.test("nothing listening is unhealthy", async () => {
  const free = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = free.addr;
  free.close();
  const settings = {
    port,
    mcpPath: "/mcp",
    healthcheckPath: "/health",
    mcpTransport: "streamable-http",
  } as const;
  const result = await probe(settings, AbortSignal.timeout(5_000));
  assertEquals(result.healthy, false);
  assertMatch(result.message, /nothing listens on the port/);
});
