import { layerOf } from "../../scripts/demo/tar.ts";
import { execute, succeed } from "../programs.ts";
import type { ImageInput } from "../registry/layout.ts";
import { tar } from "../registry/tar.ts";

/** Real MCP servers of the field, made into images the way their users' Dockerfiles do. */

const NPM_VERSION = "4.20.16";
const PYPI_VERSION = "4.1.2";

/** A download from a registry may be slow. */
const INSTALL_MS = 300_000;

const NODE_SERVER = `
import { FastMCP } from "fastmcp";
const server = new FastMCP({ name: "Node server", version: "1.0.0" });
server.addTool({
  name: "whoami",
  description: "Tells the user it runs as",
  execute: async () => String(process.getuid()),
});
await server.start({
  transportType: "httpStream",
  httpStream: {
    port: Number(process.env.PORT),
    host: process.env.HOST,
    endpoint: process.env.MCP_PATH,
  },
});
`;

/** Says nothing of ports or transports: FastMCP reads them from the environment. */
const PYTHON_SERVER = `
import os
from fastmcp import FastMCP

mcp = FastMCP("Python server")

@mcp.tool
def whoami() -> str:
    return str(os.getuid())

if __name__ == "__main__":
    mcp.run()
`;

/** npm's \`fastmcp\`: TypeScript's, with the modules in \`/app/node_modules\`. */
export async function npmFastmcp(work: string): Promise<ImageInput> {
  await Deno.mkdir(work, { recursive: true });
  await succeed("npm", [
    ...["install", `fastmcp@${NPM_VERSION}`, "--prefix", work, "--omit=dev", "--ignore-scripts"],
    ...["--prefer-offline", "--no-audit", "--no-fund", "--no-update-notifier"],
  ], { cwd: work, timeoutMs: INSTALL_MS });
  return {
    layers: [
      {
        tar: layerOf({ from: `${work}/node_modules`, to: "app/node_modules" }),
        compression: "none",
      },
      { tar: tar([{ path: "app" }, { path: "app/server.mjs", content: NODE_SERVER }]) },
    ],
    config: { Entrypoint: ["node"], Cmd: ["server.mjs"], WorkingDir: "/app" },
  };
}

/** A Python that any user can run: Debian's, before one in somebody's home. */
async function sharedPython(): Promise<string> {
  for (const python of ["/usr/bin/python3", "/usr/local/bin/python3", "python3"]) {
    const { code } = await execute(python, ["-c", "import venv"]).catch(() => ({ code: 1 }));
    if (code === 0) return python;
  }
  throw new Error("no python3 with venv");
}

/** PyPI's \`fastmcp\` with its virtual environment in \`/app/.venv\`, as uv and pip make it. */
export async function pypiFastmcp(work: string, cmd: readonly string[]): Promise<ImageInput> {
  const venv = `${work}/.venv`;
  await succeed(await sharedPython(), ["-m", "venv", "--without-pip", venv]);
  const pip = ["-m", "pip", "--python", `${venv}/bin/python`, "install", "--quiet"];
  await succeed("python3", [...pip, `fastmcp==${PYPI_VERSION}`], { timeoutMs: INSTALL_MS });
  // In an image it was made where it stays.
  for (const { name, isFile } of Deno.readDirSync(`${venv}/bin`)) {
    if (!isFile) continue;
    const path = `${venv}/bin/${name}`;
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replaceAll(venv, "/app/.venv"));
  }
  return {
    layers: [
      { tar: layerOf({ from: venv, to: "app/.venv" }), compression: "none" },
      { tar: tar([{ path: "app" }, { path: "app/server.py", content: PYTHON_SERVER }]) },
    ],
    config: {
      Env: ["PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"],
      Cmd: cmd,
      WorkingDir: "/app",
    },
  };
}
