import { layerOf } from "./tar.ts";

/** The reference MCP server of the protocol's own project, as npm has it. */
export const SERVER = "@modelcontextprotocol/server-everything";
export const SERVER_VERSION = "2026.8.31";

/** What an image of the server is made of. */
export interface ServerImage {
  /** Uncompressed tar archives, base layer first: dependencies, application. */
  readonly layers: readonly { readonly name: string; readonly tar: Uint8Array }[];
  readonly config: {
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly WorkingDir: string;
  };
}

/** Installs the server from npm into `directory` and packs it the way a Dockerfile would. */
export async function everythingImage(directory: string): Promise<ServerImage> {
  await npmInstall(directory, `${SERVER}@${SERVER_VERSION}`);
  const modules = `${directory}/node_modules`;
  const ofServer = `app/node_modules/${SERVER}`;
  const dependencies = layerOf({
    from: modules,
    to: "app/node_modules",
    without: (path) => path === ofServer || path.startsWith("app/node_modules/."),
  });
  return {
    layers: [
      { name: "dependencies", tar: dependencies },
      { name: "application", tar: layerOf({ from: `${modules}/${SERVER}`, to: "app" }) },
    ],
    config: {
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production"],
      Entrypoint: ["node", "/app/dist/index.js"],
      Cmd: ["streamableHttp"],
      WorkingDir: "/app",
    },
  };
}

async function npmInstall(directory: string, what: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const { code, stderr } = await new Deno.Command("npm", {
    args: [
      "install",
      what,
      "--prefix",
      directory,
      "--omit=dev",
      "--ignore-scripts",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--no-update-notifier",
    ],
    cwd: directory,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) {
    throw new Error(`npm install ${what}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
