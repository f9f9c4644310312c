import { Fault } from "./fault.ts";
import { shownText, shownUrl } from "./redact.ts";
import type { Reply } from "./transport.ts";

/** The body, if it has at most `limit` bytes; else undefined, and no more than that was read. */
export async function readLimited(
  body: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) return undefined;
    // A chunk is only good until the next one.
    chunks.push(chunk.slice());
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const MAX_ERROR_BODY = 16 * 1024;

/**
 * What an unwanted answer says, for messages: `GET https://host/path: 404 MANIFEST_UNKNOWN
 * (manifest unknown)`. Reads the answer's body.
 */
export async function describe(method: string, reply: Reply): Promise<string> {
  const said = await errorText(reply);
  return `${method} ${shownUrl(reply.url)}: ${reply.status}${said === "" ? "" : ` ${said}`}`;
}

async function errorText(reply: Reply): Promise<string> {
  let text: string;
  try {
    const bytes = await readLimited(reply.body, MAX_ERROR_BODY);
    if (bytes === undefined) return "";
    text = reply.conceal(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof Fault) return "";
    throw error;
  }
  const { ErrorBody, parseJson } = await import("./wire.ts");
  const body = parseJson(text, ErrorBody);
  const first = body?.errors?.[0];
  if (first !== undefined) {
    return shownText([first.code, first.message && `(${first.message})`].filter(Boolean).join(" "));
  }
  const said = body?.details ?? body?.error_description ?? body?.error;
  return said === undefined ? "" : shownText(`(${said})`);
}

/** Statuses that another attempt may get over (contract section 6). */
export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** `Retry-After` in ms: seconds or an HTTP date (RFC 9110, 10.2.3). */
export function retryAfterMs(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
