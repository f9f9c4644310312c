/** A registry in front of another: blobs stop after some bytes and stay open. */
export interface StallingProxy {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Resolves when the first blob has come to its stop. */
  readonly stalled: Promise<void>;
  stop(): Promise<void>;
}

/** @param after How many bytes of each blob pass; smaller blobs pass as they are */
export function startStallingProxy(origin: string, after: number): StallingProxy {
  const stalled = Promise.withResolvers<void>();
  const ending = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: ending.signal, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      const response = await fetch(`http://${origin}${url.pathname}${url.search}`, {
        method: request.method,
        headers: request.headers,
        redirect: "manual",
      });
      if (request.method !== "GET" || !url.pathname.includes("/blobs/")) return response;
      let left = after;
      const stall = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, left));
          left -= Math.min(left, chunk.length);
          if (left > 0) return;
          stalled.resolve();
          return new Promise((resolve) => {
            ending.signal.addEventListener("abort", () => resolve(), { once: true });
          });
        },
      });
      return new Response(response.body?.pipeThrough(stall, { signal: ending.signal }) ?? null, {
        status: response.status,
        headers: response.headers,
      });
    },
  );
  return {
    host: `127.0.0.1:${server.addr.port}`,
    stalled: stalled.promise,
    async stop() {
      ending.abort();
      await server.finished;
    },
  };
}
