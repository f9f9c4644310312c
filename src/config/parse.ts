import type * as z from "zod/mini";
import { Exit, reason, RunnerError } from "../errors.ts";
import { parseImageSource } from "../reference/source.ts";
import type { Settings } from "./settings.ts";
import { flagName, type Row, SERVER_ENV, type SettingKey, TABLE } from "./table.ts";

/** A process environment, or part of one. */
export type Env = Readonly<Record<string, string>>;

/** What the command line said. */
export interface Flags {
  /** By flag name without dashes: every value it was given, in order. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** The first argument that is neither flag nor command. */
  readonly image?: string | undefined;
  /** What follows `--`; undefined when there is no `--`. */
  readonly args?: readonly string[] | undefined;
}

/** What CI platforms (GitHub Actions) set for themselves under our prefix. */
const FOREIGN = new Set(
  ["OS", "ARCH", "NAME", "TEMP", "TOOL_CACHE", "WORKSPACE", "ENVIRONMENT", "DEBUG", "TRACKING_ID"]
    .concat("PERFLOG").map((name) => `RUNNER_${name}`),
);

type Table = typeof TABLE;

/** A row without a default may be without a value. */
type Values = {
  readonly [K in SettingKey]:
    | z.output<Table[K]["schema"]>
    | (Table[K] extends { default: string } ? never : undefined);
};

/**
 * One validated value from the command line and the environment; a flag beats its variable, an
 * empty variable counts as unset. `required` are the settings the command can not do without.
 *
 * @throws {RunnerError} 64, with a line for each violation
 */
export function parseSettings(
  flags: Flags,
  env: Env,
  required: readonly SettingKey[] = [],
): Settings {
  const violations: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries<Row>(TABLE)) {
    const given = find(row, flags, env, violations);
    const text = given?.text ?? row.default;
    if (text === undefined) {
      if (required.some((name) => name === key)) {
        violations.push(`${row.env} (--${flagName(row.env)}) is not set: it takes ${row.takes}`);
      }
      values[key] = undefined;
      continue;
    }
    const parsed = row.schema.safeParse(text);
    if (parsed.success) values[key] = parsed.data;
    else violations.push(`${given?.name ?? row.env} is ${quote(row, text)}: it takes ${row.takes}`);
  }
  const serverEnv = parseServerEnv(flags, env, violations);
  refuseUnknown(env, violations);

  const image = values["image"];
  if (typeof image === "string") {
    try {
      parseImageSource(image);
    } catch (error) {
      violations.push(`IMAGE: ${withoutLogins(reason(error))}`);
    }
  }

  const user = find(TABLE.registryUser, flags, env, [])?.text;
  const password = find(TABLE.registryPassword, flags, env, [])?.text;
  if ((user === undefined) !== (password === undefined)) {
    const [set, unset] = user === undefined
      ? ["REGISTRY_PASSWORD", "REGISTRY_USER"]
      : ["REGISTRY_USER", "REGISTRY_PASSWORD"];
    violations.push(`${set} is set and ${unset} is not: give both or neither`);
  }
  if (violations.length > 0) throw new RunnerError(Exit.settings, violations.join("\n"));

  const { registryUser, registryPassword, mode: _, ...rest } = values as Values;
  return {
    ...rest,
    paths: rest.paths ?? [],
    mirrors: rest.mirrors ?? {},
    insecureRegistries: rest.insecureRegistries ?? [],
    passEnv: rest.passEnv ?? [],
    registryLogin: registryUser === undefined || registryPassword === undefined
      ? undefined
      : { user: registryUser, password: registryPassword },
    serverEnv,
    args: flags.args,
  };
}

interface Given {
  /** The flag or variable it came from, as the user wrote it. */
  readonly name: string;
  readonly text: string;
}

function find(row: Row, flags: Flags, env: Env, violations: string[]): Given | undefined {
  const flag = `--${flagName(row.env)}`;
  const given: Given[] = (flags.values[flagName(row.env)] ?? []).map((text) => ({
    name: flag,
    text,
  }));
  if (row.env === TABLE.image.env && flags.image !== undefined) {
    given.unshift({ name: "IMAGE", text: flags.image });
  }
  const distinct = new Set(given.map(({ text }) => text));
  if (distinct.size > 1) {
    const all = [...distinct].map((text) => quote(row, text)).join(" and ");
    violations.push(`${flag} is given more than once, as ${all}: give it once`);
  }
  const text = env[row.env];
  return given[0] ?? (text === undefined || text === "" ? undefined : { name: row.env, text });
}

function parseServerEnv(flags: Flags, env: Env, violations: string[]): Record<string, string> {
  const result: Record<string, string> = {};
  const add = (from: string, name: string, value: string) => {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !value.includes("\0")) result[name] = value;
    else {
      const bad = JSON.stringify(name);
      violations.push(`${from} names the variable ${bad}: it takes letters, digits and _`);
    }
  };
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(SERVER_ENV.env)) add(name, name.slice(SERVER_ENV.env.length), value);
  }
  const { [SERVER_ENV.flag]: pairs = [], ...rest } = flags.values;
  for (const [flag, values] of Object.entries(rest)) {
    if (!flag.startsWith(`${SERVER_ENV.flag}-`)) continue;
    const name = flag.slice(SERVER_ENV.flag.length + 1).replaceAll("-", "_").toUpperCase();
    for (const value of values) add(`--${flag}`, name, value);
  }
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 0) violations.push(`--${SERVER_ENV.flag} is without "=": it takes NAME=VALUE`);
    else add(`--${SERVER_ENV.flag}`, pair.slice(0, at), pair.slice(at + 1));
  }
  return result;
}

/** A misspelt or newer security setting that is silently ignored would fail open. */
function refuseUnknown(env: Env, violations: string[]): void {
  const known = new Set(Object.values<Row>(TABLE).map((row) => row.env));
  for (const name of Object.keys(env)) {
    if (!name.startsWith("RUNNER_") || known.has(name) || FOREIGN.has(name)) continue;
    violations.push(`${name} is not a setting of this version: unset it, or see --help`);
  }
}

function quote(row: Row, text: string): string {
  if (row.secret) return "not shown";
  return JSON.stringify(withoutLogins(text));
}

/** A login in a URL (IMAGE, mirrors) is refused, and must not reach the log by being refused. */
function withoutLogins(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, "//***@");
}
