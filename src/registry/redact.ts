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
