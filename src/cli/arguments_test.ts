import { assertEquals } from "@std/assert/equals.js";
import { RunnerError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";

Deno.test("a command line becomes command, flags, image and arguments", () => {
  assertEquals(parseArguments([]), {
    command: "run",
    flags: { values: {}, image: undefined, args: undefined },
    switches: new Set(),
    topic: undefined,
  });
  const invocation = parseArguments(
    "run img:1 --port 80 --mcp-env A=b --mcp-env=C=d --mcp-env-api-key k --allow-root --dry-run --json -- --port x"
      .split(" "),
  );
  assertEquals(invocation.command, "run");
  assertEquals(invocation.flags, {
    values: {
      "port": ["80"],
      "allow-root": ["1"],
      "mcp-env": ["A=b", "C=d"],
      "mcp-env-api-key": ["k"],
    },
    image: "img:1",
    args: ["--port", "x"],
  });
  assertEquals(invocation.switches, new Set(["dry-run", "json"]));
  assertEquals(parseArguments(["org/img"]).flags.image, "org/img");
  assertEquals(parseArguments(["--image", "5"]).flags.values, { image: ["5"] });
  assertEquals(parseArguments(["--allow-root=banana"]).flags.values, { "allow-root": ["banana"] });
  assertEquals(parseArguments(["x:y", "--"]).flags.args, []);
  assertEquals(parseArguments(["--port"]).flags.values, { port: [""] });
  for (const word of ["--version", "version"]) {
    assertEquals(parseArguments([word]).command, "version");
  }
  assertEquals(parseArguments(["-h"]).command, "help");
  assertEquals(parseArguments(["help", "pull"]).topic, "pull");
  assertEquals(parseArguments(["health", "--help"]).switches, new Set(["help"]));
});

const REFUSED: readonly [string, readonly string[]][] = [
  ["run --prot 1 --bogus=secret", [
    "--prot is not a flag of run: see run --help",
    "--bogus is not a flag of run: see run --help",
  ]],
  ["pull a:1 b:2", [`"b:2" is one argument too many: see pull --help`]],
  ["health --image x", ["--image is not a flag of health: see health --help"]],
  ["health x", [`"x" is one argument too many: see health --help`]],
  ["version -- x", ["version takes no arguments after --"]],
  ["a:1 --json", ["--json goes with --dry-run: give both or neither"]],
  ["--no-port a:1", ["--no-port is not a flag of run: see run --help"]],
  ...["smoke", "inspect", "--port 1 pull"].map((line): [string, readonly string[]] => {
    const word = line.split(" ").at(-1);
    return [line, [
      `"${word}" is not a command: the commands are run, pull, health, version, help and come ` +
      `first; for an image of that name give its tag (${word}:latest)`,
    ]];
  }),
];

Deno.test("what is not understood is refused", async (t) => {
  for (const [line, expected] of REFUSED) {
    await t.step(line, () => {
      let got: string[] = [];
      try {
        parseArguments(line.split(" "));
      } catch (error) {
        if (!(error instanceof RunnerError)) throw error;
        assertEquals(error.exit, 64);
        got = error.message.split("\n");
      }
      assertEquals(got, expected);
    });
  }
});
