import { parseArgs } from "@std/cli/parse_args.js";
import * as z from "zod/mini";
import type { Flags } from "../config/parse.ts";
import { flagName, type Row, SERVER_ENV, type SettingKey, TABLE } from "../config/table.ts";
import { Exit, RunnerError } from "../errors.ts";
import { type CommandName, COMMANDS, type CommandSpec, isCommand } from "./commands.ts";

/** A command line, understood but for the settings' values. */
export interface Invocation {
  readonly command: CommandName;
  readonly flags: Flags;
  /** Names of the switches given: `help`, `dry-run`, `json`. */
  readonly switches: ReadonlySet<string>;
  /** For `help`: the command asked about. */
  readonly topic?: CommandName | undefined;
}

const Parsed = z.catchall(
  z.object({ _: z.array(z.string()) }),
  z.union([z.array(z.string()), z.boolean()]),
);

/**
 * Reads a command line (contract section 1). No command means `run`; `--version` and `--help`
 * stand for the commands.
 *
 * @throws {RunnerError} 64, with a line for each unknown flag or argument
 */
export function parseArguments(argv: readonly string[]): Invocation {
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  const args = end < 0 ? undefined : argv.slice(end + 1);

  const command = commandOf(before);
  const spec: CommandSpec = COMMANDS[command];
  const rows = Object.entries<Row>(TABLE).filter(([key]) => takes(spec, key)).map(([, row]) => row);
  const names = rows.map((row) => flagName(row.env));
  if (spec.takesImage) names.push(SERVER_ENV.flag, ...serverEnvFlags(before));
  const toggles = new Set(rows.filter((row) => row.toggle).map((row) => `--${flagName(row.env)}`));

  const violations: string[] = [];
  const parsed = Parsed.parse(parseArgs(
    before.map((argument) => toggles.has(argument) ? `${argument}=1` : argument),
    {
      string: [...names, "_"],
      collect: names,
      boolean: [...Object.keys(spec.switches), "version"],
      alias: { h: "help" },
      unknown: (argument: string, key?: string) => {
        if (key === undefined) return true;
        violations.push(
          `${argument.split("=")[0]} is not a flag of ${command}: see ${command} --help`,
        );
        return false;
      },
    },
  ));

  const named = before[0] === command;
  const positional = named ? parsed._.slice(1) : parsed._;
  const topic = command === "help" ? positional.shift() : undefined;
  if (topic !== undefined && !isCommand(topic)) violations.push(unknownCommand(topic));
  const image = spec.takesImage ? positional.shift() : undefined;
  // A lone word is a misspelt command far more often than one of Docker Hub's official images.
  if (!named && image !== undefined && /^[a-z][a-z-]*$/.test(image)) {
    violations.push(unknownCommand(image));
  }
  for (const argument of positional) {
    violations.push(`${JSON.stringify(argument)} is one argument too many: see ${command} --help`);
  }
  if (args !== undefined && !spec.takesImage) {
    violations.push(`${command} takes no arguments after --`);
  }
  const switches = new Set(Object.keys(spec.switches).filter((name) => parsed[name] === true));
  if (switches.has("json") && !switches.has("dry-run")) {
    violations.push("--json goes with --dry-run: give both or neither");
  }
  if (violations.length > 0) throw new RunnerError(Exit.settings, violations.join("\n"));

  const values: Record<string, readonly string[]> = {};
  for (const name of names) {
    const given = parsed[name];
    if (Array.isArray(given) && given.length > 0) values[name] = given;
  }
  return {
    command,
    flags: { values, image, args },
    switches,
    topic: topic !== undefined && isCommand(topic) ? topic : undefined,
  };
}

/** Whether a command takes a setting as a flag. */
export function takes(spec: CommandSpec, key: string): key is SettingKey {
  return spec.settings === "all" || spec.settings.some((name) => name === key);
}

function commandOf(argv: readonly string[]): CommandName {
  const [first] = argv;
  if (first === undefined) return "run";
  if (isCommand(first)) return first;
  if (first === "--version") return "version";
  if (first === "--help" || first === "-h") return "help";
  return "run";
}

function unknownCommand(name: string): string {
  const known = Object.keys(COMMANDS).join(", ");
  return `${JSON.stringify(name)} is not a command: the commands are ${known} and come first; ` +
    `for an image of that name give its tag (${name}:latest)`;
}

/** `--mcp-env-NAME`: a family, so its members are known only from the command line itself. */
function serverEnvFlags(argv: readonly string[]): string[] {
  const prefix = `--${SERVER_ENV.flag}-`;
  const given = argv.filter((argument) => argument.startsWith(prefix));
  return [...new Set(given.map((argument) => argument.slice(2).replace(/=.*$/s, "")))];
}
