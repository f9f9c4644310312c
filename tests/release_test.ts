import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { imageTags } from "../scripts/image_tags.ts";
import { peerTest } from "./peers.ts";
import { execute, succeed } from "./programs.ts";

const project = new URL("../", import.meta.url).pathname;
const scripts = `${project}scripts`;

Deno.test("an image's tags follow from what was pushed", () => {
  assertEquals(imageTags("refs/heads/main", "runner", "1.2.3"), ["latest"]);
  assertEquals(imageTags("refs/heads/main", "static", "1.2.3"), ["latest-static"]);
  assertEquals(imageTags("refs/tags/v1.2.3", "runner", "1.2.3"), ["v1.2.3"]);
  assertEquals(imageTags("refs/tags/v1.2.3", "static", "1.2.3"), ["v1.2.3-static"]);
  assertThrows(() => imageTags("refs/tags/v1.2.4", "runner", "1.2.3"), Error, `"v1.2.4"`);
  assertThrows(() => imageTags("refs/heads/other", "runner", "1.2.3"), Error, "refs/heads/other");
  assertThrows(() => imageTags("refs/heads/main", "build", "1.2.3"), Error, `"build"`);
});

/** The base system's own programs, whatever the tests' PATH is. */
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Runs a script of scripts/ with stand-ins for other programs, which note how they are called. */
async function withStandIns(
  standIns: Readonly<Record<string, string>>,
  script: string,
  ...args: string[]
) {
  const folder = await Deno.makeTempDir({ prefix: "stand-ins-" });
  try {
    for (const [name, body] of Object.entries(standIns)) {
      const text = `#!/bin/sh\necho "${name} $*" >> ${folder}/calls\n${body}\n`;
      await Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o755 });
    }
    const env = { PATH: `${folder}:${SYSTEM_PATH}` };
    const finished = await execute(`${scripts}/${script}`, args, { env, clearEnv: true });
    const calls = await Deno.readTextFile(`${folder}/calls`).catch(() => "");
    return { ...finished, calls: calls.split("\n").slice(0, -1) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const REPOSITORY = "ghcr.io/org/name";

Deno.test("a version is promoted once both its images are verified", async () => {
  const standIns = { cosign: "exit 0", docker: "exit 0" };
  const { code, calls } = await withStandIns(standIns, "promote.sh", REPOSITORY, "v1.2.3");
  assertEquals(code, 0);
  const identity = "--certificate-oidc-issuer https://token.actions.githubusercontent.com " +
    "--certificate-identity " +
    "https://github.com/org/name/.github/workflows/image.yml@refs/tags/v1.2.3";
  const create = "docker buildx imagetools create --tag";
  assertEquals(calls, [
    `cosign verify ${REPOSITORY}:v1.2.3 ${identity}`,
    `cosign verify ${REPOSITORY}:v1.2.3-static ${identity}`,
    `${create} ${REPOSITORY}:latest-stable ${REPOSITORY}:v1.2.3`,
    `${create} ${REPOSITORY}:latest-stable-static ${REPOSITORY}:v1.2.3-static`,
  ]);
});

Deno.test("what is not signed, or not a version, is not promoted", async () => {
  const unsigned = { cosign: `case "$2" in *-static) exit 1 ;; esac`, docker: "exit 0" };
  const refused = await withStandIns(unsigned, "promote.sh", REPOSITORY, "v1.2.3");
  assertEquals(refused.code, 1);
  assert(refused.calls.every((call) => call.startsWith("cosign")), refused.calls.join("\n"));
  for (const version of ["latest", "v1.2", "v1.2.3-static", "v1.2.3\nv1.2.3;x", ""]) {
    const { code, calls } = await withStandIns(unsigned, "promote.sh", REPOSITORY, version);
    assertEquals([code, calls], [64, []], version);
  }
});

Deno.test("a release has an executable for each architecture, and their checksums", async () => {
  const output = await Deno.makeTempDir({ prefix: "release-" });
  try {
    // The container's last argument is the path in it of the file that it makes.
    const docker = `for last; do :; done; echo "$last" > "${output}/\${last#/out/}"`;
    const made = await withStandIns({ docker }, "release-files.sh", output);
    assertEquals(made.code, 0, made.stderr);
    assert(made.calls.every((call) => /node:\S+@sha256:[0-9a-f]{64} /.test(call)), made.calls[0]);
    const names = [...Deno.readDirSync(output)].map(({ name }) => name).sort();
    const executables = ["fastmcp-runner-linux-amd64", "fastmcp-runner-linux-arm64"];
    assertEquals(names, ["SHA256SUMS", ...executables]);
    await succeed("/usr/bin/sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: output });
  } finally {
    await Deno.remove(output, { recursive: true });
  }
});

Deno.test("an executable is compiled for no other architecture", async () => {
  const env = { PATH: SYSTEM_PATH };
  const script = `${scripts}/build-executable.sh`;
  const { code, stderr } = await execute(script, ["riscv64", "/nowhere"], { env });
  assertEquals(code, 64);
  assert(stderr.includes('"riscv64"'), stderr);
});

Deno.test("every action and every base image is pinned, and no workflow may do more than it says", async () => {
  const folder = `${project}.github/workflows`;
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(`${folder}/${name}`);
    assert(/^permissions: \{\}$/m.test(text), `${name}: top-level permissions`);
    for (const [, used = ""] of text.matchAll(/uses: (\S+.*)/g)) {
      assert(used.startsWith("./") || /@[0-9a-f]{40} # v\d/.test(used), `${name}: ${used}`);
    }
    for (const [, image = ""] of text.matchAll(/image: (\S+:\S+)/g)) {
      assert(/@sha256:[0-9a-f]{64}$/.test(image), `${name}: ${image}`);
    }
    assert(!/run: .*\$\{\{/.test(text), `${name}: an expression in a script`);
  }
  const dockerfile = await Deno.readTextFile(`${project}Dockerfile`);
  const bases = [...dockerfile.matchAll(/^ARG \w+_BASE=(.*)$/gm)].map(([, base = ""]) => base);
  assertEquals(bases.length, 2);
  assert(bases.every((base) => /@sha256:[0-9a-f]{64}$/.test(base)), bases.join("\n"));
});

peerTest("the workflows pass actionlint", ["go"], async () => {
  await succeed("go", ["run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"], {
    cwd: project,
    env: Deno.env.toObject(),
    timeoutMs: 240_000,
  });
});
