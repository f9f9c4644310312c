import { assertEquals, assertMatch, assertThrows } from "@std/assert/mod.js";
import { RunnerError } from "../errors.ts";
import { formatReference, parseReference } from "./reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA = `sha256:${HEX}`;

/** Text, and what it means in full; checked against distribution/reference's own test table. */
const accepted: readonly (readonly [string, string])[] = [
  ["alpine", "docker.io/library/alpine:latest"],
  ["alpine:3.20", "docker.io/library/alpine:3.20"],
  ["org/app", "docker.io/org/app:latest"],
  ["docker.io/alpine", "docker.io/library/alpine:latest"],
  ["docker.io/org/app:v1", "docker.io/org/app:v1"],
  ["index.docker.io/alpine", "docker.io/library/alpine:latest"],
  ["index.docker.io/org/app", "docker.io/org/app:latest"],
  ["library/alpine", "docker.io/library/alpine:latest"],
  ["ghcr.io/org/team/app:v1", "ghcr.io/org/team/app:v1"],
  ["quay.io/app", "quay.io/app:latest"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/app:v1", "localhost:5000/app:v1"],
  ["localhost:5000", "docker.io/library/localhost:5000"],
  ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest"],
  ["[::1]:5000/app:v1", "[::1]:5000/app:v1"],
  ["[fe80::1]/app", "[fe80::1]/app:latest"],
  ["Registry/app", "Registry/app:latest"],
  ["REGISTRY.EXAMPLE/app", "REGISTRY.EXAMPLE/app:latest"],
  [`app@${SHA}`, `docker.io/library/app@${SHA}`],
  [`ghcr.io/org/app:v1@${SHA}`, `ghcr.io/org/app:v1@${SHA}`],
  [`host:5000/app@${SHA}`, `host:5000/app@${SHA}`],
  [`app@sha512:${HEX}${HEX}`, `docker.io/library/app@sha512:${HEX}${HEX}`],
  ["org/a-b_c.d__e---f/x", "docker.io/org/a-b_c.d__e---f/x:latest"],
  ["xn--n3h.com/app", "xn--n3h.com/app:latest"],
  [`app:${"t".repeat(128)}`, `docker.io/library/app:${"t".repeat(128)}`],
  ["app:_A.b-9", "docker.io/library/app:_A.b-9"],
];

for (const [text, full] of accepted) {
  Deno.test(`reference ${text.slice(0, 60)}`, () => {
    assertEquals(formatReference(parseReference(text)), full);
  });
}

/** Text, and the part of the message that quotes what is wrong. */
const refused: readonly (readonly [string, RegExp])[] = [
  ["", /it is empty$/],
  ["Alpine", /repository "library\/Alpine" must be lower case/],
  ["ghcr.io/Org/app", /repository "Org\/app" must be lower case/],
  ["ghcr.io/", /it has no repository name/],
  ["app:", /tag "": it must be 1 to 128/],
  ["app:-x", /tag "-x"/],
  ["app:a b", /tag "a b"/],
  [`app:${"t".repeat(129)}`, /tag "t+": it must be 1 to 128/],
  ["app@", /digest "": it is not of the form/],
  ["app@sha256:abc", /digest "sha256:abc": sha256 has 64 hexadecimal digits, and this 3/],
  [`app@SHA256:${HEX}`, /"SHA256" is neither sha256 nor sha512/],
  [`app@md5:${HEX}`, /"md5" is neither/],
  [`app@${SHA.toUpperCase()}`, /neither/],
  [`app@sha256:${"G".repeat(64)}`, /characters other than 0-9 and a-f/],
  [HEX, /64 hexadecimal digits are an image ID/],
  ["https://ghcr.io/org/app", /begins with "https:\/\/": leave that out/],
  ["docker://ghcr.io/org/app", /begins with "docker:\/\/": leave that out/],
  ["ghcr.io//app", /part "" of repository "\/app"/],
  ["ghcr.io/org/app/", /part "" of repository/],
  ["ghcr.io/a..b/c", /part "a\.\.b"/],
  ["ghcr.io/a___b", /part "a___b"/],
  ["ghcr.io/-a", /part "-a"/],
  ["ghcr.io/a.", /part "a\."/],
  ["-host.io/app", /registry "-host\.io" is not a host name/],
  ["host..io/app", /registry "host\.\.io"/],
  ["host:port/app", /registry "host:port"/],
  ["host:70000/app", /port "70000" of registry "host:70000" is not 1 to 65535/],
  ["host:0/app", /port "0"/],
  ["[::1/app", /registry "\[::1"/],
  ["[::g]/app", /registry "\[::g\]"/],
  ["user@ghcr.io/app", /digest "ghcr\.io\/app"/],
  ["a b", /part "a b"/],
  ["app\n", /part "app\n"/],
  [`ghcr.io/${"a".repeat(250)}`, /longer than 255/],
];

for (const [text, message] of refused) {
  Deno.test(`no reference ${JSON.stringify(text.slice(0, 60))}`, () => {
    const error = assertThrows(() => parseReference(text), RunnerError);
    assertEquals(error.exit, 64);
    assertMatch(error.message, message);
  });
}
