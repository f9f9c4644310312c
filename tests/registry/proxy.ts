/** A forward proxy for tests: names that no resolver knows lead to servers on loopback. */

export interface Proxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The first line and the proxy's login of every request. */
  readonly seen: readonly string[];
}

/**
 * Tunnels `CONNECT` and passes on plain requests, to the loopback `host:port` that `targets` has
 * for the name asked for.
 */
export function serveProxy(targets: Readonly<Record<string, string>>): Proxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const seen: string[] = [];
  const open = new Set<Deno.Conn>();
  const accepting = (async () => {
    try {
      for await (const near of listener) {
        open.add(near);
        serve(near).catch(() => {}).finally(() => close(near));
      }
    } catch {
      // The listener was closed.
    }
  })();

  async function serve(near: Deno.Conn): Promise<void> {
    const head = await readHead(near);
    const [first = ""] = head.split("\r\n");
    const login = /^proxy-authorization: (.*)$/im.exec(head)?.[1] ?? "";
    seen.push(`${first} ${login}`.trim());
    const [method = "", target = ""] = first.split(" ");
    const name = method === "CONNECT" ? target : new URL(target).host;
    const [hostname = "", port] = (targets[name] ?? "").split(":");
    const far = await Deno.connect({ hostname, port: Number(port) });
    open.add(far);
    const encoder = new TextEncoder();
    if (method === "CONNECT") await near.write(encoder.encode("HTTP/1.1 200 OK\r\n\r\n"));
    // A server takes the absolute form too, and one request a connection is enough.
    else await far.write(encoder.encode(head.replace(/^(\S+ )http:\/\/[^/]+/, "$1")));
    await Promise.all([pass(near, far), pass(far, near)]);
  }

  function close(connection: Deno.Conn): void {
    open.delete(connection);
    try {
      connection.close();
    } catch {
      // Closed already.
    }
  }

  async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      await from.readable.pipeTo(to.writable);
    } catch {
      close(from);
      close(to);
    }
  }

  return {
    host: `127.0.0.1:${listener.addr.port}`,
    seen,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) close(connection);
      await accepting;
    },
  };
}

async function readHead(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(8192);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const length = await connection.read(buffer);
    if (length === null) throw new Error("proxy: no request");
    head += new TextDecoder().decode(buffer.subarray(0, length));
  }
  return head;
}
