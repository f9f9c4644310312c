/** A URL fit for messages: without user, password, query (it may be signed) and fragment. */
export function shownUrl(url: URL | string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** A peer's words fit for a message: one line, no control characters, not without end. */
export function shownText(text: string, maxLength = 300): string {
  // deno-lint-ignore no-control-regex
  const line = text.replace(/[\x00-\x20\x7f-\x9f]+/g, " ").trim();
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}

/** Shorter values are words, which masking would only garble. */
const SHORTEST_SECRET = 6;

/** Of a token request: what a refusal may well name. */
const PUBLIC_FIELDS: ReadonlySet<string> = new Set([
  "scope",
  "service",
  "account",
  "client_id",
  "grant_type",
  "username",
]);

/** Every secret in a request: the login in each of its spellings, values of query and form. */
export function sentSecrets(
  url: URL,
  authorization: string | undefined,
  form: URLSearchParams | undefined,
): string[] {
  const fields = [...url.searchParams, ...(form ?? [])];
  const secrets = fields.filter(([name]) => !PUBLIC_FIELDS.has(name)).map(([, value]) => value);
  const value = authorization?.slice(authorization.indexOf(" ") + 1);
  if (value !== undefined) secrets.push(value);
  if (value !== undefined && authorization?.startsWith("Basic ")) {
    const login = new TextDecoder().decode(Uint8Array.fromBase64(value));
    secrets.push(login, login.slice(login.indexOf(":") + 1));
  }
  return secrets;
}

export function concealed(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) {
    if (secret.length >= SHORTEST_SECRET) shown = shown.replaceAll(secret, "***");
  }
  return shown;
}
