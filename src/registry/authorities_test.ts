import { assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../errors.ts";
import { createLogger } from "../log.ts";
import { ownAuthorities, secureClient } from "./authorities.ts";

const DAMAGED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async function withPem(text: string, run: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".pem" });
  await Deno.writeTextFile(path, text);
  try {
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a damaged system bundle is passed over, with a warning", () =>
  withPem(DAMAGED, async (sslCertFile) => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const log = createLogger({ level: "debug", format: "text", write });
    const client = await secureClient({ own: undefined, sslCertFile }, log);
    client.close();
    assertEquals(lines.length, 1);
    assertMatch(lines[0]!, /WARN.*certificate authorities in ".*\.pem" are passed over/);
  }));

Deno.test("RUNNER_CA_FILE: one that is missing, no PEM or damaged is 64", async () => {
  const refused = async (path: string, problem: RegExp) => {
    const error = await assertRejects(() => ownAuthorities(path), RunnerError);
    assertEquals(error.exit, 64);
    assertMatch(error.message, problem);
  };
  await refused("/nowhere/ca.pem", /read RUNNER_CA_FILE "\/nowhere\/ca.pem": /);
  await withPem("no certificate\n", (path) => refused(path, /it holds no PEM certificate$/));
  await withPem(DAMAGED, (path) => refused(path, /a certificate in it is damaged$/));
});
