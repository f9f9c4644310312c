import { assertEquals, assertMatch, assertRejects } from "@std/assert/mod.js";
import { RunnerError } from "../../errors.ts";
import { createLogger } from "../../log.ts";
import type { Credential } from "./credential.ts";
import { findCredential } from "./credentials.ts";
import { entryFor, parseDockerConfig } from "./docker_config.ts";

const login = (user: string, password: string): Credential => ({
  kind: "password",
  user,
  password,
});
const auth = (text: string) => ({ auth: new TextEncoder().encode(text).toBase64() });

interface EntryCase {
  readonly name: string;
  readonly auths: Record<string, unknown>;
  readonly registry?: string;
  readonly repository?: string;
  readonly expected: Credential | undefined;
}

const entries: readonly EntryCase[] = [
  { name: "auth", auths: { "ghcr.io": auth("ann:pa:ss") }, expected: login("ann", "pa:ss") },
  {
    name: "username and password",
    auths: { "ghcr.io": { username: "ann", password: "pw" } },
    expected: login("ann", "pw"),
  },
  {
    name: "identitytoken beats auth",
    auths: { "ghcr.io": { ...auth("ann:x"), identitytoken: "refresh" } },
    expected: { kind: "identity", token: "refresh" },
  },
  {
    name: "zero bytes after the password",
    auths: { "ghcr.io": auth("ann:pw\0\0") },
    expected: login("ann", "pw"),
  },
  { name: "an empty entry", auths: { "ghcr.io": {} }, expected: undefined },
  { name: "a null entry", auths: { "ghcr.io": null }, expected: undefined },
  { name: "a URL", auths: { "https://ghcr.io/v2/": auth("a:b") }, expected: login("a", "b") },
  { name: "another registry", auths: { "quay.io": auth("a:b") }, expected: undefined },
  { name: "a longer host", auths: { "evil.ghcr.io": auth("a:b") }, expected: undefined },
  { name: "a host it begins", auths: { "ghcr.io.evil": auth("a:b") }, expected: undefined },
  { name: "another port", auths: { "ghcr.io:5000": auth("a:b") }, expected: undefined },
  {
    name: "this port",
    auths: { "ghcr.io": auth("x:y"), "ghcr.io:5000": auth("a:b") },
    registry: "ghcr.io:5000",
    expected: login("a", "b"),
  },
  {
    name: "Docker Hub's old key",
    auths: { "https://index.docker.io/v1/": auth("a:b") },
    registry: "docker.io",
    expected: login("a", "b"),
  },
  {
    name: "Docker Hub by its name, before the old key",
    auths: { "https://index.docker.io/v1/": auth("x:y"), "docker.io": auth("a:b") },
    registry: "docker.io",
    expected: login("a", "b"),
  },
  {
    name: "podman's path keys, the longest",
    auths: { "ghcr.io": auth("x:y"), "ghcr.io/org": auth("a:b"), "ghcr.io/or": auth("p:q") },
    expected: login("a", "b"),
  },
  {
    name: "another repository's path key",
    auths: { "ghcr.io/other": auth("a:b") },
    expected: undefined,
  },
  {
    name: "the exact key before a URL",
    auths: { "https://ghcr.io": auth("x:y"), "ghcr.io": auth("a:b") },
    expected: login("a", "b"),
  },
];

for (const { name, auths, registry = "ghcr.io", repository = "org/app", expected } of entries) {
  Deno.test(`config.json: ${name}`, () => {
    const config = parseDockerConfig(JSON.stringify({ auths }));
    assertEquals(config && entryFor(config, registry, repository), expected);
  });
}

interface World {
  readonly dir: string;
  readonly find: (
    env: Record<string, string>,
    registry?: string,
  ) => Promise<Credential | undefined>;
  readonly lines: string[];
}

/** A directory with credential files and helpers on PATH. */
async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "credentials-" });
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLogger({ level: "debug", format: "text", write });
  const path = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", `${dir}/bin:${path}`);
  await Deno.mkdir(`${dir}/bin`);
  try {
    const find: World["find"] = (env, registry = "ghcr.io") =>
      findCredential(registry, "org/app", (name) => env[name], log);
    await body({ dir, find, lines });
  } finally {
    Deno.env.set("PATH", path);
    await Deno.remove(dir, { recursive: true });
  }
}

const config = (user: string) => JSON.stringify({ auths: { "ghcr.io": auth(`${user}:pw`) } });

Deno.test("sources come in the contract's order", async () => {
  await withWorld(async ({ dir, find }) => {
    await Deno.mkdir(`${dir}/docker`);
    await Deno.mkdir(`${dir}/home/.docker`, { recursive: true });
    await Deno.writeTextFile(`${dir}/docker/config.json`, config("two"));
    await Deno.writeTextFile(`${dir}/auth.json`, config("three"));
    await Deno.writeTextFile(`${dir}/home/.docker/config.json`, config("four"));
    const env: Record<string, string> = {
      DOCKER_AUTH_CONFIG: config("one"),
      DOCKER_CONFIG: `${dir}/docker`,
      REGISTRY_AUTH_FILE: `${dir}/auth.json`,
      HOME: `${dir}/home`,
    };
    const users = [];
    for (const name of Object.keys(env)) {
      users.push(await find(env));
      delete env[name];
    }
    assertEquals(users, ["one", "two", "three", "four"].map((user) => login(user, "pw")));
    assertEquals(await find(env), undefined);
  });
});

Deno.test("a file that is not there or without this registry is passed over", async () => {
  await withWorld(async ({ dir, find }) => {
    await Deno.writeTextFile(`${dir}/auth.json`, config("ann"));
    const env = {
      DOCKER_AUTH_CONFIG: '{"auths":{"quay.io":{"auth":"YTpi"}}}',
      DOCKER_CONFIG: `${dir}/missing`,
      REGISTRY_AUTH_FILE: `${dir}/auth.json`,
    };
    assertEquals(await find(env), login("ann", "pw"));
  });
});

Deno.test("what cannot be understood is 64 and quotes no secret", async () => {
  await withWorld(async ({ find }) => {
    for (
      const text of [
        '{"auths":',
        "[]",
        '{"auths":{"ghcr.io":{"auth":"s3cret!"}}}',
        `{"auths":{"ghcr.io":{"auth":"${btoa("s3cret")}"}}}`,
      ]
    ) {
      const error = await assertRejects(() => find({ DOCKER_AUTH_CONFIG: text }), RunnerError);
      assertEquals(error.exit, 64);
      assertMatch(error.message, /^read credentials from DOCKER_AUTH_CONFIG: /);
      assertEquals(/s3cret|czNjcmV0/.test(error.message), false);
    }
  });
});

Deno.test("helpers are asked by their protocol, a registry's own before the one for all", async () => {
  await withWorld(async ({ dir, find }) => {
    await helper(dir, "all", '{"ServerURL":"x","Username":"all","Secret":"'.concat('s-$key"}'));
    await helper(dir, "own", '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}');
    const text = JSON.stringify({
      auths: { "ghcr.io": {} },
      credsStore: "all",
      credHelpers: { "ghcr.io": "own" },
    });
    const env = { DOCKER_AUTH_CONFIG: text };
    assertEquals(await find(env), { kind: "identity", token: "refresh" });
    assertEquals(await find(env, "quay.io:443"), login("all", "s-quay.io:443"));
    // Helpers know Docker Hub by its old URL.
    assertEquals(await find(env, "docker.io"), login("all", "s-https://index.docker.io/v1/"));
  });
});

Deno.test("a helper gets none of the runner's own secrets", async () => {
  await withWorld(async ({ dir, find }) => {
    await helper(dir, "env", '{"Username":"u","Secret":"[$REGISTRY_PASSWORD]"}');
    Deno.env.set("REGISTRY_PASSWORD", "mine");
    try {
      const env = { DOCKER_AUTH_CONFIG: '{"credsStore":"env"}' };
      assertEquals(await find(env), login("u", "[]"));
    } finally {
      Deno.env.delete("REGISTRY_PASSWORD");
    }
  });
});

Deno.test("a helper without this login, broken or missing leaves the entry", async () => {
  await withWorld(async ({ dir, find, lines }) => {
    await helper(dir, "none", "credentials not found in native keychain", 1);
    await helper(dir, "broken", "s0mething s3cret", 2);
    await helper(dir, "chatty", "no JSON with a s3cret");
    const expectations = [["none", 0], ["broken", 1], ["chatty", 1], ["missing", 1], ["a/b", 1]];
    for (const [store, warnings] of expectations) {
      lines.length = 0;
      const text = JSON.stringify({ auths: { "ghcr.io": auth("ann:pw") }, credsStore: store });
      assertEquals(await find({ DOCKER_AUTH_CONFIG: text }), login("ann", "pw"));
      assertEquals(lines.filter((line) => line.includes("[WARN]")).length, warnings);
    }
  });
});

/** A helper in shell: reads the registry into `$key` and answers. */
async function helper(dir: string, name: string, answer: string, exit = 0): Promise<void> {
  const quoted = answer.replaceAll('"', '\\"');
  await Deno.writeTextFile(
    `${dir}/bin/docker-credential-${name}`,
    `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r key\nprintf '%s' "${quoted}"\nexit ${exit}\n`,
    { mode: 0o755 },
  );
}
