import { assertEquals } from "@std/assert/mod.js";
import { parseChallenges } from "./challenge.ts";

/** Header, and its challenges as `scheme` or `scheme name=value …`. */
const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ["Basic", 'Basic realm="a, b"', ["basic realm=a, b"]],
  [
    "Docker Hub",
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      "bearer realm=https://auth.docker.io/token service=registry.docker.io scope=repository:a/b:pull,push",
    ],
  ],
  [
    "two challenges",
    'Bearer realm="https://r/t", service="s", Basic realm="x"',
    ["bearer realm=https://r/t service=s", "basic realm=x"],
  ],
  ["a scheme alone before another", 'Negotiate, Basic realm="x"', ["negotiate", "basic realm=x"]],
  ["token68", "Negotiate abc/+==, Basic realm=x", ["negotiate", "basic realm=x"]],
  ["an unquoted value", "Bearer realm=https, service=s", ["bearer realm=https service=s"]],
  ["spaces around =", 'Basic realm = "x"', ["basic realm=x"]],
  ["escapes", 'Basic realm="a\\"b\\\\c"', ['basic realm=a"b\\c']],
  ["odd case", 'BEARER Realm="x"', ["bearer realm=x"]],
  ["empty list elements", ', ,Basic realm="x",, charset="UTF-8"', ["basic realm=x charset=UTF-8"]],
  ["the first of duplicates", 'Bearer realm="good",realm="evil"', ["bearer realm=good"]],
  ["an empty value", 'Bearer realm="r",scope=""', ["bearer realm=r scope="]],
  ["an unknown scheme first", 'AWS4 a="b", Basic realm="x"', ["aws4 a=b", "basic realm=x"]],
  ["nothing", "", []],
  ["what is not closed", 'Basic realm="x', ["basic"]],
];

for (const [name, header, expected] of cases) {
  Deno.test(`challenges: ${name}`, () => {
    const found = parseChallenges(header).map(({ scheme, params }) =>
      [scheme, ...[...params].map(([key, value]) => `${key}=${value}`)].join(" ")
    );
    assertEquals(found, expected);
  });
}

Deno.test("challenges: hostile headers end soon", () => {
  const started = performance.now();
  parseChallenges("a ".repeat(50_000));
  parseChallenges('a="'.repeat(30_000));
  parseChallenges(",".repeat(100_000) + '"'.repeat(1000));
  parseChallenges("Basic " + "a".repeat(100_000) + "!");
  assertEquals(performance.now() - started < 2000, true);
});
