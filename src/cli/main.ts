import { Exit, RunnerError } from "../errors.ts";
import { createLogger, LOG_FORMATS, LOG_LEVELS, type Logger } from "../log.ts";
import { type Env, parseSettings } from "../config/parse.ts";
import { guardProcess, type Start } from "../launch/guard.ts";
import { wipeArguments } from "../os/secrets.ts";
import { type Invocation, parseArguments } from "./arguments.ts";
import { COMMANDS } from "./commands.ts";
import { helpText } from "./help.ts";
import { VERSION } from "./version.ts";

/**
 * Runs a command line. What a command needs is loaded when it runs, so that a health probe does not
 * pay for the registry client.
 *
 * @returns the process's exit status; never returns where the process has become the server
 */
export async function main(argv: readonly string[]): Promise<number> {
  const start = guardProcess();
  let log = earlyLogger(start.env);
  try {
    const invocation = parseArguments(argv);
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
    const secrets = [settings.registryLogin?.password ?? ""];
    log = createLogger({ level: settings.logLevel, format: settings.logFormat, secrets });
    if (flags.values["registry-password"] !== undefined) {
      log.warn("--registry-password is visible to other users of this system: use the variable");
    }
    if (command === "health") {
      const { health } = await import("../mcp/health.ts");
      return await health(settings, log);
    }
    if (command === "pull") {
      const { pull } = await import("./pull.ts");
      return await pull(settings, start, log);
    }
    const { run } = await import("./run.ts");
    return await run(settings, start, log, {
      dryRun: switches.has("dry-run"),
      json: switches.has("json"),
    });
  } catch (error) {
    return report(error, log, start);
  }
}

/** The one line (or a line for each violation) that a user sees of a failure. */
function report(error: unknown, log: Logger, start: Start): number {
  if (error instanceof RunnerError) {
    for (const line of error.message.split("\n")) log.error(line);
    log.debug("where it failed", { stack: error.stack, cause: stackOf(error.cause) });
    return error.exit;
  }
  const message = error instanceof Error ? error.message : String(error);
  const level = start.env["LOG_LEVEL"] === "debug" ? "" : " (LOG_LEVEL=debug shows where)";
  log.error(`unexpected failure: ${message}${level}`);
  log.debug("where it failed", { stack: stackOf(error) });
  return 70;
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

function print(text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
