import type { Settings } from "../config/settings.ts";
import type { Logger } from "../log.ts";
import { closeSession, initializeRequest, isMcpAnswer } from "./probe.ts";

/** Contract section 8. */
const LIMIT_MS = 10_000;
/** A health route that only redirects is followed, but never to another server. */
const MAX_REDIRECTS = 3;

/** What a probe found: healthy or not, and in a line why. */
export interface Health {
  readonly healthy: boolean;
  readonly message: string;
}

export type HealthSettings = Pick<
  Settings,
  "port" | "mcpPath" | "mcpTransport" | "healthcheckPath"
>;

/** The `health` command. @returns its exit status: 0 healthy, 1 not */
export async function health(settings: HealthSettings, log: Logger): Promise<0 | 1> {
  // The probe speaks to its own host: a proxy could only answer for another.
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]) Deno.env.delete(name);
  const { healthy, message } = await probe(settings, AbortSignal.timeout(LIMIT_MS));
  if (healthy) log.info(message);
  else log.error(message);
  return healthy ? 0 : 1;
}

/**
 * Asks `http://127.0.0.1:PORT` for the health path; where the server has none (404, 405) a real MCP
 * request decides (contract section 8). Never throws.
 */
export async function probe(settings: HealthSettings, signal: AbortSignal): Promise<Health> {
  const base = `http://127.0.0.1:${settings.port}`;
  const url = `${base}${settings.healthcheckPath}`;
  try {
    const response = await follow(new URL(url), { signal });
    await response.body?.cancel();
    const { status } = response;
    if (response.ok) return { healthy: true, message: `healthy: ${url} answers ${status}` };
    if (status === 404 || status === 405) return await probeMcp(base, settings, signal);
    return { healthy: false, message: unhealthy(url, status, new URL(url).host) };
  } catch (error) {
    return { healthy: false, message: failure(url, error, signal) };
  }
}

async function probeMcp(
  base: string,
  { mcpPath, mcpTransport }: HealthSettings,
  signal: AbortSignal,
): Promise<Health> {
  const url = `${base}${mcpPath}`;
  try {
    const request = mcpTransport === "sse"
      ? { headers: { accept: "text/event-stream" } }
      : initializeRequest();
    const response = await follow(new URL(url), { ...request, signal });
    const { status } = response;
    if (status === 401) {
      await response.body?.cancel();
      return { healthy: true, message: `healthy: ${url} wants authorization (401)` };
    }
    if (status < 500 && status !== 421 && status !== 403 && await isMcpAnswer(response)) {
      await closeSession(response, url, signal);
      return { healthy: true, message: `healthy: ${url} answers MCP` };
    }
    await response.body?.cancel().catch(() => {});
    return { healthy: false, message: unhealthy(url, status, new URL(url).host) };
  } catch (error) {
    return { healthy: false, message: failure(url, error, signal) };
  }
}

async function follow(url: URL, init: RequestInit): Promise<Response> {
  for (let hops = 0;; hops++) {
    const response = await fetch(url, { ...init, redirect: "manual" });
    const location = response.headers.get("location");
    const next = location === null ? null : URL.parse(location, url);
    const redirects = response.status >= 300 && response.status < 400;
    if (!redirects || next?.origin !== url.origin || hops === MAX_REDIRECTS) return response;
    await response.body?.cancel();
    url = next;
  }
}

function unhealthy(url: string, status: number, host: string): string {
  const refusesHost = status === 421 || status === 403;
  return `unhealthy: ${url} answers ${status}` +
    (refusesHost
      ? `: it refuses the Host header "${host}": allow that host in the server's settings`
      : status < 300
      ? ", but not as MCP does"
      : "");
}

function failure(url: string, error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return `unhealthy: ${url} did not answer within ${LIMIT_MS / 1000} s`;
  // fetch says only that it failed; why is in the cause.
  const cause = error instanceof Error ? error.cause ?? error : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const why = /refused/i.test(text) ? "nothing listens on the port" : text.replace(/\s+/g, " ");
  return `unhealthy: ${url} cannot be asked: ${why}`;
}
