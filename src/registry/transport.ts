import { Exit, RunnerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Authorities, secureClient } from "./authorities.ts";
import { Fault, networkFailure } from "./fault.ts";
import { exemptLoopback } from "./loopback.ts";
import { concealed, sentSecrets, shownUrl } from "./redact.ts";
import { StallWatch } from "./stall.ts";

export interface TransportOptions {
  readonly authorities: Authorities;
  /** No byte for this long is a fault. */
  readonly stallTimeoutMs: number;
  readonly log: Logger;
  /** Its abort ends every request; its reason is what they throw. */
  readonly signal: AbortSignal;
}

export interface Request {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to this URL's origin alone. A secret. */
  readonly authorization?: string | undefined;
  readonly form?: URLSearchParams;
}

/** An answer that is no redirect. Read `body` or call `discard`, else the connection stays taken. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Who answered, after redirects. */
  readonly url: URL;
  /** Whether a redirect led to another origin. */
  readonly foreign: boolean;
  /** Throws {@linkcode Fault} when the connection breaks or stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
  /** Masks what was sent as a secret, should the peer's words quote it. */
  conceal(text: string): string;
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** HTTP as the registry needs it: redirects by hand, stalls noticed, bodies as they are stored. */
export class Transport {
  /** By scheme: what is needed for https takes some milliseconds to load. */
  readonly #clients = new Map<string, Promise<Deno.HttpClient>>();
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
    exemptLoopback();
  }

  /**
   * Sends, follows redirects (at most 10, never from https to http, the Authorization header only
   * while the origin stays the same) and returns the answer whatever its status.
   *
   * Throws {@linkcode Fault} if there is none, {@linkcode RunnerError} 69 for a redirect that
   * must not be followed.
   */
  async send(request: Request): Promise<Reply> {
    let { url, authorization } = request;
    for (let hops = 0;; hops++) {
      const reply = await this.#once(request, url, authorization);
      const location = REDIRECTS.has(reply.status) ? reply.headers.get("location") : null;
      if (location === null) return { ...reply, foreign: url.origin !== request.url.origin };
      await reply.discard();
      const next = redirectTarget(url, location, request, hops);
      // Once dropped it stays dropped, even if a later hop leads back.
      if (next.origin !== url.origin) authorization = undefined;
      url = next;
    }
  }

  async #once(
    request: Request,
    url: URL,
    authorization: string | undefined,
  ): Promise<Omit<Reply, "foreign">> {
    const { log, signal, stallTimeoutMs } = this.#options;
    signal.throwIfAborted();
    const stalled = new AbortController();
    const watch = new StallWatch(stallTimeoutMs, () => {
      stalled.abort(new Fault("stall", `no byte for ${stallTimeoutMs / 1000} s`));
    });
    const headers: Record<string, string> = {
      // Layers are compressed already, and ranges must count the stored bytes.
      "Accept-Encoding": "identity",
      "User-Agent": "fastmcp-runner",
      ...request.headers,
    };
    if (authorization !== undefined) headers.Authorization = authorization;
    const client = await this.#client(url);
    const started = performance.now();
    watch.begin();
    try {
      const response = await fetch(url, {
        method: request.method,
        headers,
        body: request.form ?? null,
        redirect: "manual",
        client,
        signal: AbortSignal.any([signal, stalled.signal]),
      });
      watch.end();
      log.debug(`${request.method} ${shownUrl(url)}: ${response.status}`, {
        ms: Math.round(performance.now() - started),
        range: request.headers?.Range,
      });
      return {
        status: response.status,
        headers: response.headers,
        url,
        body: this.#chunks(response, watch, stalled, url),
        discard: async () => {
          watch.stop();
          await response.body?.cancel().catch(() => {});
        },
        conceal: (text) => concealed(text, sentSecrets(url, authorization, request.form)),
      };
    } catch (error) {
      watch.stop();
      throw this.#failure(error, stalled.signal, url);
    }
  }

  async *#chunks(
    response: Response,
    watch: StallWatch,
    stalled: AbortController,
    url: URL,
  ): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader({ mode: "byob" });
    // One buffer for the whole body: the runtime fills it, and it is handed back for the next read.
    let buffer = new Uint8Array(CHUNK_SIZE);
    try {
      while (reader !== undefined) {
        watch.begin();
        const { done, value } = await reader.read(buffer).catch((error) => {
          throw this.#failure(error, stalled.signal, url);
        });
        watch.end();
        if (done) return;
        yield value;
        buffer = new Uint8Array(value.buffer);
      }
    } finally {
      watch.stop();
      await reader?.cancel().catch(() => {});
    }
  }

  #failure(error: unknown, stalled: AbortSignal, url: URL): unknown {
    if (this.#options.signal.aborted) return this.#options.signal.reason;
    if (stalled.aborted) return stalled.reason;
    const { failure, detail } = networkFailure(error, shownUrl(url));
    this.#options.log.debug(`${shownUrl(url)}: ${failure.message}`, { detail });
    return failure;
  }

  #client({ protocol }: URL): Promise<Deno.HttpClient> {
    let client = this.#clients.get(protocol);
    if (client === undefined) {
      const { authorities, log } = this.#options;
      client = protocol === "https:"
        ? secureClient(authorities, log)
        : Promise.resolve(Deno.createHttpClient({ http2: false }));
      this.#clients.set(protocol, client);
    }
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.then((client) => client.close(), () => {});
  }
}

/** Reads of a body; larger ones gain nothing. */
const CHUNK_SIZE = 256 * 1024;

function redirectTarget(from: URL, location: string, request: Request, hops: number): URL {
  const refuse = (problem: string) =>
    new RunnerError(Exit.unavailable, `${request.method} ${shownUrl(request.url)}: ${problem}`);
  if (hops >= MAX_REDIRECTS) throw refuse(`more than ${MAX_REDIRECTS} redirects`);
  if (!URL.canParse(location, from.href)) throw refuse("it redirects to what is no URL");
  const to = new URL(location, from);
  to.username = "";
  to.password = "";
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    throw refuse(`it redirects to a ${to.protocol} URL`);
  }
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw refuse(`it redirects from https to unencrypted http (${shownUrl(to)})`);
  }
  // A form holds a secret, which only its own endpoint may have.
  if (request.form !== undefined) throw refuse("it redirects a login");
  return to;
}
