import type { Handler } from "./registry.ts";

/**
 * An HTTP/1.1 server that breaks the rules on demand: connections cut, reset and stalled, lengths
 * and ranges that lie, answers that never come. It writes to the socket itself, since no server
 * library can be made to do these things.
 */

/** What goes wrong with one answer. Offsets count bytes of this answer's body. */
export type FaultAction =
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** The connection ends after so many bytes. */
  | { readonly kind: "cut"; readonly after: number }
  /** Nothing more is sent after so many bytes; the connection stays open. */
  | { readonly kind: "stall"; readonly after: number }
  /** The connection ends before an answer. */
  | { readonly kind: "hangup" }
  /** The whole blob, with 200, whatever range was asked for. */
  | { readonly kind: "no-range" }
  /** 206 with the right bytes and this `Content-Range`. */
  | { readonly kind: "content-range"; readonly value: string }
  /** A range that begins elsewhere, truthfully labelled. */
  | { readonly kind: "shifted-range"; readonly by: number }
  /** A `Content-Length` that is off by so many bytes. */
  | { readonly kind: "content-length"; readonly off: number }
  /** A chunked body that ends early and cleanly. */
  | { readonly kind: "short"; readonly after: number }
  /** Bytes after the body's end, chunked so that they belong to it. */
  | { readonly kind: "long"; readonly extra: number }
  /** One byte changed. */
  | { readonly kind: "corrupt"; readonly at: number }
  | { readonly kind: "redirect"; readonly location: string; readonly status?: number };

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
}

/** Decides what goes wrong with a request; undefined: nothing. */
export type FaultPlan = (request: SeenRequest) => FaultAction | undefined;

export interface FaultyServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Every request so far. */
  readonly requests: readonly SeenRequest[];
  /** Bytes of blobs written to sockets so far. */
  readonly blobBytes: number;
  /** Replaces the plan from the next request on. */
  plan: FaultPlan;
}

/** Serves `handler` on a free loopback port, with `plan`'s faults. */
export function serveFaulty(handler: Handler, plan: FaultPlan = () => undefined): FaultyServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = new Server(listener, handler, plan);
  return server;
}

class Server implements FaultyServer {
  readonly host: string;
  readonly requests: SeenRequest[] = [];
  blobBytes = 0;
  plan: FaultPlan;
  readonly #listener: Deno.TcpListener;
  readonly #handler: Handler;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;

  constructor(listener: Deno.TcpListener, handler: Handler, plan: FaultPlan) {
    this.#listener = listener;
    this.#handler = handler;
    this.plan = plan;
    this.host = `127.0.0.1:${listener.addr.port}`;
    this.#serving = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#serving;
  }

  async #accept(): Promise<void> {
    const served: Promise<void>[] = [];
    try {
      for await (const connection of this.#listener) {
        this.#connections.add(connection);
        served.push(
          this.#serve(connection)
            // The client may leave at any moment.
            .catch(() => {})
            .finally(() => {
              close(connection);
              this.#connections.delete(connection);
            }),
        );
      }
    } catch {
      // The listener was closed.
    }
    await Promise.all(served);
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    for (;;) {
      const request = await readHead(connection);
      if (request === undefined) return;
      this.requests.push(request);
      const action = this.plan(request);
      if (action?.kind === "hangup") return;
      if (!await this.#answer(connection, request, action)) return;
    }
  }

  /** Whether the connection can take another request. */
  async #answer(
    connection: Deno.TcpConn,
    request: SeenRequest,
    action: FaultAction | undefined,
  ): Promise<boolean> {
    const response = await this.#respond(request, action);
    const all = new Uint8Array(await response.arrayBuffer());
    const body = tamper(all, action);
    const headers = new Headers(response.headers);
    const chunked = action?.kind === "short" || action?.kind === "long";
    headers.delete("content-length");
    if (chunked) headers.set("transfer-encoding", "chunked");
    else {
      const off = action?.kind === "content-length" ? action.off : 0;
      const said = request.method === "HEAD"
        ? response.headers.get("content-length") ?? "0"
        : `${Math.max(0, all.length + off)}`;
      headers.set("content-length", said);
    }
    if (action?.kind === "content-range") headers.set("content-range", action.value);
    let head = `HTTP/1.1 ${response.status} X\r\n`;
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
    await writeAll(connection, new TextEncoder().encode(head + "\r\n"));
    if (request.method === "HEAD") return true;

    const isBlob = response.ok && request.path.includes("sha256:") &&
      !request.path.includes("/manifests/");
    const count = (bytes: number) => isBlob ? this.blobBytes += bytes : undefined;
    if (chunked) {
      await writeAll(connection, new TextEncoder().encode(`${body.length.toString(16)}\r\n`));
      await writeAll(connection, body, count);
      await writeAll(connection, new TextEncoder().encode("\r\n0\r\n\r\n"));
      return false;
    }
    await writeAll(connection, body, count);
    if (action?.kind === "stall") {
      // Until the client gives up or the server is stopped.
      await connection.read(new Uint8Array(1));
      return false;
    }
    return action?.kind !== "cut" && action?.kind !== "content-length";
  }

  #respond(request: SeenRequest, action: FaultAction | undefined): Promise<Response> {
    if (action?.kind === "status") {
      const body = { errors: [{ code: "TOOMANYREQUESTS", message: "a fault of the test" }] };
      return Promise.resolve(
        Response.json(body, { status: action.status, headers: action.headers ?? {} }),
      );
    }
    if (action?.kind === "redirect") {
      const { location, status = 307 } = action;
      return Promise.resolve(new Response(null, { status, headers: { location } }));
    }
    const headers = new Headers(request.headers);
    if (action?.kind === "no-range") headers.delete("range");
    if (action?.kind === "shifted-range") {
      const from = Number(/\d+/.exec(headers.get("range") ?? "0")?.[0]);
      headers.set("range", `bytes=${Math.max(0, from + action.by)}-`);
    }
    const { method, path } = request;
    return this.#handler(new Request(`http://${this.host}${path}`, { method, headers }));
  }
}

function tamper(body: Uint8Array<ArrayBuffer>, action: FaultAction | undefined): Uint8Array {
  switch (action?.kind) {
    case "cut":
    case "stall":
    case "short":
      return body.subarray(0, action.after);
    case "long": {
      const longer = new Uint8Array(body.length + action.extra);
      longer.set(body);
      return longer;
    }
    case "corrupt": {
      const changed = body.slice();
      const at = action.at % Math.max(1, changed.length);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      return changed;
    }
    default:
      return body;
  }
}

const MAX_HEAD = 64 * 1024;

/** Reads one request without a body; undefined at the connection's end. */
async function readHead(connection: Deno.TcpConn): Promise<SeenRequest | undefined> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16 * 1024);
  let head = "";
  while (!head.includes("\r\n\r\n") && head.length < MAX_HEAD) {
    const length = await connection.read(buffer);
    if (length === null) return undefined;
    head += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  const [first = "", ...lines] = head.slice(0, head.indexOf("\r\n\r\n")).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { method, path, headers };
}

async function writeAll(
  connection: Deno.TcpConn,
  bytes: Uint8Array,
  wrote: (length: number) => void = () => {},
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const length = await connection.write(bytes.subarray(at, at + 64 * 1024));
    wrote(length);
    at += length;
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
