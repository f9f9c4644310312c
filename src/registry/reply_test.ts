import { assertEquals } from "@std/assert/mod.js";
import { isLoopback } from "./loopback.ts";
import { concealed, sentSecrets, shownText, shownUrl } from "./redact.ts";
import { isTransient, readLimited, retryAfterMs } from "./reply.ts";

Deno.test("Retry-After in seconds, as a date, and neither", () => {
  const now = Date.parse("2026-01-15T10:30:00Z");
  const wait = (value: string) => retryAfterMs(new Headers({ "retry-after": value }), now);
  assertEquals(wait("0"), 0);
  assertEquals(wait(" 120 "), 120_000);
  assertEquals(wait("Thu, 15 Jan 2026 10:30:05 GMT"), 5000);
  assertEquals(wait("Thu, 15 Jan 2026 10:29:00 GMT"), 0);
  assertEquals(wait("soon"), undefined);
  assertEquals(retryAfterMs(new Headers(), now), undefined);
});

Deno.test("which statuses are worth another try", () => {
  const transient = [408, 429, 500, 502, 503, 504, 599].map(isTransient);
  assertEquals(new Set(transient), new Set([true]));
  assertEquals(
    new Set([200, 206, 307, 400, 401, 403, 404, 416].map(isTransient)),
    new Set([false]),
  );
});

Deno.test("URLs are shown without login, query and fragment", () => {
  assertEquals(shownUrl("https://u:p@h:8443/a/b?X-Sig=s#f"), "https://h:8443/a/b");
});

Deno.test("a peer's words become one short line", () => {
  assertEquals(shownText("  a\r\n[ERROR] b\x1b[31m\x7fc  "), "a [ERROR] b [31m c");
  assertEquals(shownText("x".repeat(400)).length, 301);
});

Deno.test("what was sent as a secret is masked", () => {
  const basic = `Basic ${btoa("ann:s3cret-password")}`;
  const url = new URL("https://h/t?X-Sig=s1gnature&scope=repository:a:pull");
  const form = new URLSearchParams({ refresh_token: "refresh-1", client_id: "fastmcp-runner" });
  const secrets = sentSecrets(url, basic, form);
  const text = `${basic} s3cret-password s1gnature refresh-1 repository:a:pull fastmcp-runner`;
  assertEquals(concealed(text, secrets), "Basic *** *** *** *** repository:a:pull fastmcp-runner");
});

Deno.test("loopback by name and by number", () => {
  for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]) {
    assertEquals(isLoopback(host), true, host);
  }
  for (const host of ["localhost.evil", "127.0.0.1.nip.io", "[::2]", "1127.0.0.1", "registry"]) {
    assertEquals(isLoopback(host), false, host);
  }
});

Deno.test("a body over its limit is not read to its end", async () => {
  let produced = 0;
  async function* endless() {
    for (;;) {
      produced++;
      yield await Promise.resolve(new Uint8Array(100));
    }
  }
  assertEquals(await readLimited(endless(), 250), undefined);
  assertEquals(produced, 3);
});
