import { flagName, type Row, SERVER_ENV, TABLE } from "../config/table.ts";
import { takes } from "./arguments.ts";
import { type CommandName, COMMANDS, type CommandSpec } from "./commands.ts";

/** The help text of one command, or, without one, of the program. Ends in a newline. */
export function helpText(command?: CommandName): string {
  if (command === undefined || command === "help") return overview();
  const spec: CommandSpec = COMMANDS[command];
  const lines = [`Usage: ${spec.usage}`, "", `  ${capital(spec.summary)}.`, ""];
  const settings = Object.entries<Row>(TABLE).filter(([key]) => takes(spec, key));
  if (settings.length > 0) {
    lines.push("Settings, each a flag or a variable; the flag beats the variable:", "");
    for (const [, row] of settings) {
      lines.push(`  --${flagName(row.env)}${row.toggle ? "" : " VALUE"} (${row.env})`);
      lines.push(`      ${row.help}.`);
      const fallback = row.default === undefined ? "" : ` (default: ${row.default})`;
      lines.push(`      Takes ${row.takes}.${fallback}`);
    }
    if (spec.takesImage) {
      lines.push(`  --${SERVER_ENV.flag} NAME=VALUE (${SERVER_ENV.env}NAME)`);
      lines.push(`      ${SERVER_ENV.help}.`);
    }
    lines.push("");
  }
  lines.push("Flags:", "");
  for (const [name, help] of Object.entries(spec.switches)) {
    lines.push(`  --${name}`, `      ${help}.`);
  }
  return lines.join("\n") + "\n";
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  return [
    "fastmcp-runner pulls the image of an MCP server, extracts it without Docker,",
    "drops root and becomes the server.",
    "",
    "Usage:",
    "",
    ...Object.values<CommandSpec>(COMMANDS).map((spec) => `  ${spec.usage}`),
    "",
    "Commands (none means run):",
    "",
    ...Object.entries<CommandSpec>(COMMANDS).map(([name, spec]) =>
      `  ${name.padEnd(width)}  ${spec.summary}`
    ),
    "",
    "Exit status: 0 done; 64 bad settings; 65 the image's data is wrong; 69 registry or network",
    "unavailable; 73 cannot write; 77 authentication refused; 126 entrypoint not executable;",
    "127 not found; once it runs, the server's own.",
    "",
    "Settings are listed by: fastmcp-runner run --help",
    "",
  ].join("\n");
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
