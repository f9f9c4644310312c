import { Exit, reason, RunnerError } from "../errors.ts";
import { createLogger, LOG_FORMATS, LOG_LEVELS, type Logger } from "../log.ts";
import { type Env, parseSettings } from "../config/parse.ts";
import { LayerPool } from "../extract/layer_pool.ts";
import { guardProcess, type Start } from "../launch/guard.ts";
import { wipeArguments } from "../os/secrets.ts";
import { type Invocation, parseArguments } from "./arguments.ts";
import { COMMANDS } from "./commands.ts";
import { helpText } from "./help.ts";
import { print } from "./output.ts";
import { VERSION } from "./version.ts";

/** EX_SOFTWARE of sysexits(3): a fault of the runner's own, which the contract has no status for. */
const UNEXPECTED = 70;

/**
 * Runs a command line. What a command needs is loaded when it runs, so that a health probe does not
 * pay for the registry client.
 *
 * @returns the process's exit status; never returns where the process has become the server
 */
export async function main(argv: readonly string[]): Promise<number> {
  const reporter = new Reporter();
  // What nobody awaits ends the process like any failure: in one line.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(reporter.report(event.reason));
  });
  try {
    const start = guardProcess();
    reporter.log = earlyLogger(start.env);
    return await command(parseArguments(argv), start, reporter);
  } catch (error) {
    return reporter.report(error);
  }
}

async function command(
  invocation: Invocation,
  start: Start,
  reporter: Reporter,
): Promise<number> {
  wipeArguments(secretValues(invocation));
  const { command, switches, flags } = invocation;
  if (switches.has("help") || command === "help") {
    print(helpText(command === "help" ? invocation.topic : command));
    return Exit.ok;
  }
  if (command === "version") {
    print(`${VERSION}\n`);
    return Exit.ok;
  }
  const settings = parseSettings(flags, start.env, COMMANDS[command].required);
  const log = createLogger({
    level: settings.logLevel,
    format: settings.logFormat,
    secrets: [settings.registryLogin?.password ?? ""],
  });
  reporter.log = log;
  if (flags.values["registry-password"] !== undefined) {
    log.warn("--registry-password could be seen in the process list: REGISTRY_PASSWORD can not");
  }
  if (command === "health") {
    const { health } = await import("../mcp/health.ts");
    return await health(settings, log);
  }
  if (switches.has("dry-run")) {
    const { dryRun } = await import("./dry_run.ts");
    return await dryRun(settings, start, log, switches.has("json"));
  }
  // Its Workers load beside all that follows.
  using pool = new LayerPool(log);
  if (command === "pull") {
    const { pull } = await import("./pull.ts");
    return await pull(settings, start, pool, log);
  }
  const { run } = await import("./run.ts");
  return await run(settings, start, pool, log);
}

/** Tells the user of a failure, by the logger there is at that moment. */
class Reporter {
  log: Logger = earlyLogger({});

  /** One line, or a line for each violation; the stack only at debug. @returns the exit status */
  report(error: unknown): number {
    const known = error instanceof RunnerError;
    const message = known
      ? error.message
      : `unexpected failure (--log-level debug shows where): ${reason(error).split("\n", 1)[0]}`;
    for (const line of message.split("\n")) this.log.error(line);
    const cause = error instanceof Error ? stackOf(error.cause) : undefined;
    this.log.debug("where it failed", { stack: stackOf(error), cause });
    return known ? error.exit : UNEXPECTED;
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** For what goes wrong before the settings are known: as they say where that can be told. */
function earlyLogger(env: Env): Logger {
  return createLogger({
    level: LOG_LEVELS.find((level) => level === env["LOG_LEVEL"]) ?? "info",
    format: LOG_FORMATS.find((format) => format === env["LOG_FORMAT"]) ?? "text",
  });
}

function secretValues({ flags }: Invocation): string[] {
  return Object.entries(flags.values).flatMap(([name, values]) =>
    name === "registry-password" || name.startsWith("mcp-env")
      ? values.map((value) => name === "mcp-env" ? value.slice(value.indexOf("=") + 1) : value)
      : []
  );
}
