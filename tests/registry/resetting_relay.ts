import { connect, createServer, type Server, type Socket } from "node:net";

export interface Relay extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
}

/**
 * Passes TCP connections on to `target` and resets them (RST, not FIN) when `plan`, asked once a
 * connection, gives a number and so many bytes have come back; 0 is at the first byte sent there.
 */
export async function serveResettingRelay(
  target: string,
  plan: () => number | undefined,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const limit = plan();
    const [hostname = "", port] = target.split(":");
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (bytes) => limit === 0 ? near.resetAndDestroy() : far.write(bytes));
    let passed = 0;
    far.on("data", (bytes) => {
      passed += bytes.length;
      near.write(bytes, () => {
        if (limit !== undefined && passed >= limit) near.resetAndDestroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("relay: no address");
  return {
    host: `127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
