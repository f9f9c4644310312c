/** Log levels of contract section 2, least severe first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Values logged beside a message: keys of the JSON object, `key=value` in text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes one line a call to stderr; see contract section 2 for both formats. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Literal values masked as `***` wherever they occur; the last line of defence, not the first. */
  readonly secrets?: readonly string[];
  /** @default stderr, written synchronously so that no line is lost at exit or exec */
  readonly write?: (line: string) => void;
}

/** A {@linkcode Logger} at a level; lines below it cost nothing but the call. */
export function createLogger(options: LoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const secrets = (options.secrets ?? []).filter((secret) => secret.length > 0);
  const write = options.write ?? writeStderr;

  const log = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const ts = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    let line = options.format === "json"
      ? JSON.stringify({ ts, level, msg: message, ...fields })
      : textLine(ts, level, message, fields);
    for (const secret of secrets) line = line.replaceAll(secret, "***");
    write(line + "\n");
  };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function textLine(ts: string, level: LogLevel, message: string, fields: LogFields): string {
  const label = `[${level.toUpperCase()}]`.padEnd(7);
  let line = `${ts} ${label} ${oneLine(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${oneLine(String(value))}`;
  }
  return line;
}

/** Control characters escaped, so that a hostile file name cannot forge a line or drive a terminal. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => JSON.stringify(c).slice(1, -1));
}

const encoder = new TextEncoder();

function writeStderr(line: string): void {
  let bytes = encoder.encode(line);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
}
