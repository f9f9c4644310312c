/** Whether `host[:port]` is this machine by its own name. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}

/** What Go's and curl's users expect: a proxy in the environment is not for this machine. */
const LOOPBACK = ["localhost", "127.0.0.0/8", "127.0.0.1", "::1"];

/**
 * Adds loopback to `NO_PROXY`, which the runtime obeys but does not extend by itself; needed before
 * an HTTP client is made, and only where a proxy is set.
 */
export function exemptLoopback(): void {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
  const set = names.some((name) => Deno.env.get(name) || Deno.env.get(name.toLowerCase()));
  if (!set) return;
  // The runtime reads but one of the two spellings: what is set is added to, and nothing hidden.
  const listed = ["NO_PROXY", "no_proxy"].filter((name) => Deno.env.get(name) !== undefined);
  for (const name of listed.length === 0 ? ["NO_PROXY"] : listed) {
    const entries = (Deno.env.get(name) ?? "").split(",").filter((entry) => entry !== "");
    const missing = LOOPBACK.filter((entry) => !entries.includes(entry));
    if (missing.length > 0) Deno.env.set(name, [...entries, ...missing].join(","));
  }
}
