import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { RunnerError } from "../errors.ts";
import { formatPlatform, hostPlatform, parsePlatform } from "./platform.ts";
import { formatImageSource, parseImageSource } from "./source.ts";

Deno.test("local sources, in skopeo's spelling", () => {
  const local = (kind: string, path: string, tag?: string) => ({ kind, path, tag });
  assertEquals({ ...parseImageSource("oci:/a/b") }, local("oci", "/a/b"));
  assertEquals({ ...parseImageSource("oci:dir:v1") }, local("oci", "dir", "v1"));
  assertEquals({ ...parseImageSource("oci-archive:x.tar") }, local("oci-archive", "x.tar"));
  assertEquals(
    { ...parseImageSource("docker-archive:/x.tar:org/app:v1") },
    local("docker-archive", "/x.tar", "org/app:v1"),
  );
  assertEquals(
    formatImageSource(parseImageSource("docker-archive:x:app:v1")),
    "docker-archive:x:app:v1",
  );
  for (const text of ["oci:", "oci::v1", "oci:dir:", "oci-archive:"]) {
    assertEquals(assertThrows(() => parseImageSource(text), RunnerError).exit, 64);
  }
});

Deno.test("anything else is a registry reference", () => {
  assertEquals(formatImageSource(parseImageSource("alpine")), "docker.io/library/alpine:latest");
  assertEquals(parseImageSource("oci/app").kind, "registry");
});

Deno.test("platforms", () => {
  const { os, architecture } = hostPlatform();
  assertEquals(os, "linux");
  assertEquals(["amd64", "arm64"].includes(architecture), true);
  const shown = (text: string) => formatPlatform(parsePlatform(text));
  assertEquals(shown("linux/arm64/v8"), "linux/arm64/v8");
  assertEquals(shown("Linux/x86_64"), "linux/amd64");
  assertEquals(shown("linux/aarch64"), "linux/arm64");
  assertEquals(shown("linux/armhf"), "linux/arm/v7");
  assertEquals(
    formatPlatform({ ...parsePlatform("windows/amd64"), osVersion: "10.0.1" }),
    "windows/amd64 (10.0.1)",
  );
  for (const text of ["", "linux", "linux/", "/amd64", "linux/a/b/c", "linux/amd 64"]) {
    assertEquals(assertThrows(() => parsePlatform(text), RunnerError).exit, 64);
  }
});
