/** `deno run -A scripts/readme.ts` writes README's commands and tables of variables anew. */
import { COMMANDS } from "../src/cli/commands.ts";
import { SERVER_ENV, TABLE } from "../src/config/table.ts";

/** README's sections that are made, by the name in their markers. */
export const SECTIONS: Readonly<Record<string, () => string>> = {
  "commands": commands,
  "server settings": () =>
    table(rows().filter(({ env }) => !env.startsWith("RUNNER_")), [
      [`${SERVER_ENV.env}*`, "", SERVER_ENV.help, "any text"],
    ]),
  "runner settings": () => table(rows().filter(({ env }) => env.startsWith("RUNNER_"))),
};

/** The document with every made section as it should be. @throws when a section's markers are missing */
export function withSections(markdown: string): string {
  for (const [name, make] of Object.entries(SECTIONS)) {
    const begin = `<!-- ${name} -->`;
    const end = `<!-- end of ${name} -->`;
    const from = markdown.indexOf(begin);
    const to = markdown.indexOf(end);
    if (from < 0 || to < from) throw new Error(`README.md lacks ${begin} … ${end}`);
    markdown = `${markdown.slice(0, from)}${begin}\n\n${make()}\n${markdown.slice(to)}`;
  }
  return markdown;
}

const README = new URL("../README.md", import.meta.url);

function commands(): string {
  const entries = Object.values(COMMANDS);
  const width = Math.max(...entries.map(({ usage }) => usage.length));
  const lines = entries.map(({ usage, summary }) => `${usage.padEnd(width)}  ${summary}\n`);
  return "```\n" + lines.join("") + "```\n";
}

function rows(): readonly { env: string; default?: string; help: string; takes: string }[] {
  return Object.values(TABLE);
}

function table(
  settings: ReturnType<typeof rows>,
  more: readonly (readonly [string, string, string, string])[] = [],
): string {
  const cells = [
    ...settings.map(({ env, help, takes, ...rest }) => [env, rest.default ?? "", help, takes]),
    ...more,
  ].map(([env, preset, help, takes]) => [
    `\`${env}\``,
    preset ? `\`${preset}\`` : "",
    escape(help ?? ""),
    escape(takes ?? ""),
  ]);
  const lines = [["Variable", "Default", "Meaning", "Takes"], Array(4).fill("---"), ...cells];
  return lines.map((line) => `| ${line.join(" | ")} |\n`).join("");
}

/** `|` would end the cell, `*` begins emphasis. */
function escape(text: string): string {
  return text.replaceAll(/[|*]/g, "\\$&");
}

if (import.meta.main) {
  await Deno.writeTextFile(README, withSections(await Deno.readTextFile(README)));
}
