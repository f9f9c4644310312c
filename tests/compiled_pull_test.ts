import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { archive } from "./archive_builder.ts";
import { compiled, COMPILER, runAlone } from "./compiled.ts";
import { dumpImage } from "./e2e_images.ts";
import { openHub } from "./e2e_hub.ts";
import { peerTest } from "./peers.ts";
import { execute } from "./programs.ts";
import { serveFaulty } from "./registry/faulty.ts";
import { tagContent, writeJson, writeLayout } from "./registry/layout.ts";
import { registryHandler } from "./registry/registry.ts";

/** Files of a host that the contract names, and what is the kernel's and no file. */
const MAY_OPEN = [
  /^\/proc\//,
  /^\/sys\//,
  /^\/dev\/(urandom|null)$/,
  /^\/etc\/(resolv\.conf|hosts|host\.conf|gai\.conf)$/,
  /^\/etc\/ssl\/|^\/etc\/pki\//,
  /\/\.docker\/config\.json$/,
];

peerTest("a pull opens no file of the host, and speaks to the registry alone", [
  ...COMPILER,
  "strace",
], async () => {
  await using program = await compiled();
  const hub = await openHub("embedded");
  try {
    await hub.put("test/dump", "latest", dumpImage());
    const root = `${program.folder}/root`;
    await Deno.mkdir(root);
    const trace = `${program.folder}/trace`;
    const calls = "execve,open,openat,openat2,connect,sendto,sendmsg";
    const args = ["-f", "-s", "4096", "-e", `trace=${calls}`, "-o", trace, program.path, "pull"];
    const { code, stderr } = await execute("strace", args, {
      env: {
        PATH: "/usr/bin:/bin",
        HOME: "/root",
        RUNNER_ROOT: root,
        IMAGE: `${hub.host.replace("127.0.0.1", "localhost")}/test/dump:latest`,
      },
      clearEnv: true,
    });
    assertEquals(code, 0, stderr);
    const lines = await Deno.readTextFile(trace);

    assertEquals(lines.match(/execve\(/g)?.length, 1, "no other program");
    // Relative to a directory that is open already: within the root.
    const opened = [...lines.matchAll(/open(?:at)?\((?:AT_FDCWD, )?"([^"]+)"/g)].map(([, p = ""]) =>
      p
    );
    assert(opened.some((path) => path.startsWith("/proc/self/fd/")), "the trace shows files");
    const others = opened.filter((path) =>
      // The runtime looks at its own file when it starts a Worker.
      !path.startsWith(root) && !isAbove(path, root) && path !== program.path &&
      !MAY_OPEN.some((allowed) => allowed.test(path))
    );
    assertEquals(others, []);

    const port = hub.host.split(":")[1];
    const peers = [...lines.matchAll(/sin6?_port=htons\((\d+)\)/g)].map(([, peer]) => peer);
    assert(peers.includes(port), "the trace shows connections");
    assertEquals(peers.filter((peer) => peer !== port), []);
  } finally {
    await hub.close();
  }
});

function isAbove(path: string, root: string): boolean {
  return root.startsWith(path.endsWith("/") ? path : `${path}/`);
}

peerTest(
  "layers of many small files are read at once with few descriptors",
  [...COMPILER],
  async () => {
    await using program = await compiled();
    const { folder } = program;
    const layers = Array.from({ length: 5 }, (_, layer) => {
      const tar = archive();
      for (let i = 0; i < 1500; i++) tar.file(`app/${layer}/${i}`, `${i}`.repeat(i % 3));
      return { tar: tar.build(), level: 1 };
    });
    await writeLayout(`${folder}/layout`, { tag: "t", layers, config: { Cmd: ["/app/x"] } });
    for (const limit of [128, 1024]) {
      const root = `${folder}/root-${limit}`;
      const script = `ulimit -n ${limit}; exec "$0" pull oci:${folder}/layout:t --root ${root}`;
      const { code, stderr } = await runAlone("/bin/sh", ["-c", script, program.path]);
      assertEquals(code, 0, stderr);
      for (const [layer] of layers.entries()) {
        assertEquals([...Deno.readDirSync(`${root}/app/${layer}`)].length, 1500);
        assertEquals(await Deno.readTextFile(`${root}/app/${layer}/1499`), "14991499");
      }
    }
  },
);

peerTest(
  "the first layers are asked for while the config is on its way, also those of an image refused",
  [...COMPILER, "taskset"],
  async () => {
    await using program = await compiled();
    const { folder } = program;
    const layers = [0, 1, 2, 3].map((i) => ({ tar: archive().file(`app/${i}`, `${i}`).build() }));
    const image = { tag: "t", layers, config: { Cmd: ["/app/x"] } };
    const foreign = { os: "linux", architecture: "s390x" };
    const repositories = { right: `${folder}/right`, foreign: `${folder}/foreign` };
    const right = await writeLayout(repositories.right, image);
    const refused = await writeLayout(repositories.foreign, { ...image, platform: foreign });
    const names = new Map([
      [right.config.digest, "config"],
      [refused.config.digest, "config"],
      ...right.layers.map(({ digest }, i) => [digest, `layer ${i}`] as const),
    ]);
    const handler = registryHandler(repositories);
    for (
      const [repository, command, expected, exit] of [
        ["right", "pull", ["layer 0", "layer 1", "layer 2", "config", "layer 3"], 0],
        ["foreign", "pull", ["layer 0", "layer 1", "layer 2", "config"], 65],
        ["right", "run --dry-run", ["config"], 0],
      ] as const
    ) {
      const answered: string[] = [];
      const beforeConfig = Promise.withResolvers<void>();
      const wait = expected.indexOf("config");
      await using server = serveFaulty(async (request) => {
        const name = names.get(new URL(request.url).pathname.split("/").at(-1)!);
        if (name === "config" && wait > 0) await beforeConfig.promise;
        if (name !== undefined) answered.push(name);
        if (answered.length === wait) beforeConfig.resolve();
        return await handler(request);
      });
      const root = `${folder}/root-${repository}`;
      const settings = ["--root", root, "--port", "3901"];
      const { code, stderr } = await runAlone("taskset", [
        "-c",
        "0",
        program.path,
        ...command.split(" "),
        `${server.host}/${repository}:t`,
        ...settings,
      ]);
      assertEquals(code, exit, stderr);
      // Layers in any order, but only so many before the config.
      assertEquals(
        [...answered.slice(0, wait).sort(), ...answered.slice(wait)],
        [...expected],
        command,
      );
      const made = await Deno.stat(root).then(() => true, () => false);
      assertEquals(made, repository === "right" && command === "pull");
      if (made) await Deno.remove(root, { recursive: true });
    }
  },
);

peerTest(
  "a config that is a layer as well, and asked for ahead as that, is malformed",
  [...COMPILER, "taskset"],
  async () => {
    await using program = await compiled();
    const layout = `${program.folder}/layout`;
    const tar = archive().file("app/x", "x").build();
    const { config, layers } = await writeLayout(layout, { tag: undefined, layers: [{ tar }] });
    const layer = { ...layers[0]!, digest: config.digest, size: config.size };
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = { schemaVersion: 2, mediaType, config, layers: [layer] };
    await tagContent(layout, "t", await writeJson(layout, mediaType, manifest));
    await using server = serveFaulty(registryHandler({ "test/x": layout }));
    const root = `${program.folder}/root`;
    const pull = [program.path, "pull", `${server.host}/test/x:t`, "--root", root];
    const { code, stderr } = await runAlone("taskset", ["-c", "0", ...pull]);
    assertEquals(code, 65, stderr);
    assertStringIncludes(stderr, `layer "${config.digest}"`);
    // Once ahead, which the config is read from, and once as the layer.
    assertEquals(server.requests.filter(({ path }) => path.endsWith(config.digest)).length, 2);
    assertEquals([...Deno.readDirSync(program.folder)].some(({ name }) => name === "root"), false);
  },
);
