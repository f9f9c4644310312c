/**
 * `deno task demo`: a real MCP server from npm becomes an image, a registry on loopback serves the
 * image, and fastmcp-runner pulls it and becomes the server, told by environment variables alone.
 */
import { dirname } from "node:path";
import { freePort } from "../tests/ports.ts";
import { writeLayout } from "../tests/registry/layout.ts";
import { serveRegistry } from "../tests/registry/registry.ts";
import { everythingImage, SERVER, SERVER_VERSION } from "./demo/everything.ts";
import { findNode } from "./demo/node.ts";
import { relayLines } from "./demo/relay.ts";
import { answering, converse, processFacts } from "./demo/server.ts";

const STARTUP_MS = 30_000;
const STOP_MS = 5_000;
const REPOSITORY = "mcp/everything";
/** As root the runner drops to 1000, unless it is told otherwise. */
const SERVER_UID = Deno.uid() || 1000;

const begin = performance.now();
const directory = await Deno.makeTempDir({ prefix: "fastmcp-runner-demo-" });
let runner: Deno.ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    await leaveNothing();
    Deno.exit(signal === "SIGINT" ? 130 : 143);
  });
}
try {
  await demo();
} catch (error) {
  console.error(`The demo failed: ${error instanceof Error ? error.message : error}`);
  Deno.exitCode = 1;
} finally {
  await leaveNothing();
}
Deno.exit();

async function demo(): Promise<void> {
  // The server's user has to get through to its files.
  await Deno.chmod(directory, 0o755);
  const node = await findNode(SERVER_UID, `${directory}/bin`);

  stage(`Making an image of ${SERVER} ${SERVER_VERSION} from npm`);
  const image = await everythingImage(`${directory}/npm`);
  const { layers } = await writeLayout(`${directory}/layout`, { ...image, tag: "latest" });
  image.layers.forEach(({ name, tar }, index) => {
    tell(`layer "${name}": ${size(layers[index]?.size ?? 0)}, unpacked ${size(tar.length)}`);
  });

  // It ends with this process.
  const registry = serveRegistry({ [REPOSITORY]: `${directory}/layout` });
  const reference = `${registry.host}/${REPOSITORY}:latest`;
  stage(`Serving it as ${reference}`);

  const port = freePort();
  const settings = {
    IMAGE: reference,
    PORT: String(port),
    RUNNER_ROOT: `${directory}/root`,
    MCP_ENV_PATH: `${dirname(node.path)}:/usr/local/bin:/usr/bin:/bin`,
  };
  stage("Running fastmcp-runner with");
  for (const [name, value] of Object.entries(settings)) tell(`${name}=${value}`);
  if (node.copied) tell(`(a copy of Node.js, since ${node.copied})`);
  await Deno.mkdir(settings.RUNNER_ROOT);
  const started = performance.now();
  const main = new URL("../src/main.ts", import.meta.url).pathname;
  runner = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", main],
    env: settings,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const relay = (line: string) => console.log(`${`+${ms(started)}`.padStart(11)} | ${line}`);
  relayLines(runner.stdout, relay);
  relayLines(runner.stderr, relay);

  const url = `http://127.0.0.1:${port}/mcp`;
  await answering(url, runner.status, STARTUP_MS);
  stage(`The server answers, ${ms(started)} after the runner's start`);
  const { files, bytes } = contents(settings.RUNNER_ROOT);
  tell(`${files} files, ${size(bytes)}, are in RUNNER_ROOT`);
  const facts = await processFacts(runner.pid);
  tell(`process ${runner.pid}, the runner's own, is now "${facts.get("Name")}"`);
  tell(`user ${first(facts, "Uid")}, group ${first(facts, "Gid")}`);
  tell(`capabilities ${first(facts, "CapEff")}, no_new_privs ${first(facts, "NoNewPrivs")}`);

  const asked = performance.now();
  const { server, tools, echoed } = await converse(url);
  stage(`A client speaks MCP to it over streamable HTTP, in ${ms(asked)}`);
  tell(`server: ${server}`);
  tell(`tools: ${tools.join(", ")}`);
  tell(`echo says: ${echoed}`);

  const stopped = performance.now();
  runner.kill("SIGTERM");
  const { code, signal } = await withDeadline(runner.status, STOP_MS, "the server did not stop");
  stage(`Stopped with SIGTERM in ${ms(stopped)} (${signal ?? `status ${code}`})`);
}

/** Of the regular files below a directory. */
function contents(directory: string): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    const { files, bytes } = entry.isDirectory
      ? contents(path)
      : { files: Number(entry.isFile), bytes: entry.isFile ? Deno.lstatSync(path).size : 0 };
    sum.files += files;
    sum.bytes += bytes;
  }
  return sum;
}

/** Neither process nor file. */
async function leaveNothing(): Promise<void> {
  try {
    runner?.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
  await runner?.status;
  await Deno.remove(directory, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${what} within ${timeoutMs} ms`)),
    timeoutMs,
  );
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

function stage(text: string): void {
  console.log(`[${((performance.now() - begin) / 1000).toFixed(1).padStart(5)} s] ${text}`);
}

function tell(text: string): void {
  console.log(`            ${text}`);
}

function ms(since: number): string {
  return `${Math.round(performance.now() - since)} ms`;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function first(facts: ReadonlyMap<string, string>, field: string): string {
  return facts.get(field)?.split(/\s+/)[0] ?? "unknown";
}
