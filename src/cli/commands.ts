import type { SettingKey } from "../config/table.ts";

export interface CommandSpec {
  /** What `help` says it does. */
  readonly summary: string;
  readonly usage: string;
  /** The settings its flags give; `all` for every one. The variables are the same for all. */
  readonly settings: "all" | readonly SettingKey[];
  readonly required: readonly SettingKey[];
  /** Takes `MCP_ENV_*` by flag, IMAGE as an argument, and `-- ARG...`. */
  readonly takesImage: boolean;
  /** Flags of its own that are not settings: name to help. */
  readonly switches: Readonly<Record<string, string>>;
}

const HELP = { help: "Show this help" };

/** Contract section 1; the first is what runs when no command is named. */
export const COMMANDS = {
  run: {
    summary: "pull, extract, drop privileges, become the server",
    usage: "fastmcp-runner [run] [IMAGE] [flags] [-- ARG...]",
    settings: "all",
    required: ["image", "port"],
    takesImage: true,
    switches: {
      "dry-run": "Print what would run, and as whom; extract and start nothing",
      "json": "With --dry-run: print it as JSON",
      ...HELP,
    },
  },
  pull: {
    summary: "extract only",
    usage: "fastmcp-runner pull [IMAGE] [flags]",
    settings: "all",
    required: ["image"],
    takesImage: true,
    switches: HELP,
  },
  health: {
    summary: "container HEALTHCHECK probe: exit 0 healthy, 1 not",
    usage: "fastmcp-runner health [flags]",
    settings: ["port", "mcpTransport", "mcpPath", "healthcheckPath", "logLevel", "logFormat"],
    required: ["port"],
    takesImage: false,
    switches: HELP,
  },
  version: {
    summary: "print the version",
    usage: "fastmcp-runner version",
    settings: [],
    required: [],
    takesImage: false,
    switches: HELP,
  },
  help: {
    summary: "print help, also of one command",
    usage: "fastmcp-runner help [COMMAND]",
    settings: [],
    required: [],
    takesImage: false,
    switches: HELP,
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
