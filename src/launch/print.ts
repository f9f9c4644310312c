import type { Settings } from "../config/settings.ts";
import type { ExecPlan } from "./plan.ts";

const MASK = "***";

/** Names whose values are nobody's business, whoever set them. */
const SECRET_NAME = /pass|secret|token|key|credential|auth|private|cookie|dsn/i;

/**
 * A plan for people (a line each) or as one JSON object. Masked: what the user gave the server
 * (`MCP_ENV_*`, `RUNNER_PASS_ENV`), what is named like a secret, and logins in URLs.
 */
export function printed(
  plan: ExecPlan,
  settings: Pick<Settings, "serverEnv" | "passEnv">,
  json: boolean,
): string {
  const shown = {
    file: plan.file,
    argv: maskArguments(plan.argv),
    cwd: plan.cwd,
    user: plan.user,
    umask: plan.umask.toString(8).padStart(4, "0"),
    env: Object.fromEntries(
      Object.entries(plan.env).map(([name, value]) => [name, maskValue(name, value, settings)]),
    ),
    warnings: plan.warnings,
  };
  if (json) return JSON.stringify(shown, null, 2) + "\n";
  const { user } = plan;
  const who = user.kind === "unresolved"
    ? `${user.from}, looked up in the image's files once they are extracted`
    : user.kind === "stay"
    ? `${user.uid}:${user.gid} (as the runner is)`
    : `${user.uid}:${user.gid} groups ${user.groups.join(",")}`;
  const lines = [
    `program    ${quote(shown.file)}`,
    `arguments  ${shown.argv.map(quote).join(" ")}`,
    `directory  ${quote(shown.cwd)}`,
    `user       ${who}`,
    `umask      ${shown.umask}`,
    ...Object.entries(shown.env).map(([name, value]) => `variable   ${name}=${quote(value)}`),
    ...shown.warnings.map((warning) => `warning    ${warning}`),
  ];
  return lines.join("\n") + "\n";
}

function maskValue(
  name: string,
  value: string,
  { serverEnv, passEnv }: Pick<Settings, "serverEnv" | "passEnv">,
): string {
  const given = Object.hasOwn(serverEnv, name) ||
    passEnv.some((pattern) =>
      pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern
    );
  return (given || SECRET_NAME.test(name)) && value !== "" ? MASK : maskLogins(value);
}

/** `--token=x` and `--token x` alike. */
function maskArguments(argv: readonly string[]): string[] {
  let next = false;
  return argv.map((argument) => {
    const masked = next && !argument.startsWith("-");
    const [name = ""] = argument.split("=", 1);
    const secret = /^--?\w/.test(name) && SECRET_NAME.test(name);
    next = secret && !argument.includes("=");
    if (masked) return MASK;
    return secret && !next ? `${name}=${MASK}` : maskLogins(argument);
  });
}

function maskLogins(text: string): string {
  return text.replace(/(\w:\/\/)[^/@\s]+@/g, `$1${MASK}@`);
}

function quote(text: string): string {
  return /^[\w@%+=:,./*-]+$/.test(text) ? text : JSON.stringify(text);
}
