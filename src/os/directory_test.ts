import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { toByteString } from "../bytes.ts";
import { Directory, useOpenat2 } from "./directory.ts";
import { Errno, SystemError } from "./libc.ts";

function withDirectory(run: (directory: Directory, path: string) => void): void {
  const path = Deno.makeTempDirSync();
  try {
    using directory = Directory.at(path);
    run(directory, path);
  } finally {
    useOpenat2(undefined);
    Deno.removeSync(path, { recursive: true });
  }
}

function errnoOf(action: () => unknown): number {
  return (assertThrows(action, SystemError) as SystemError).errno;
}

Deno.test("no method takes more than one component, nor dots, nor a NUL", () =>
  withDirectory((directory) => {
    const methods: readonly ((name: string) => unknown)[] = [
      (name) => directory.child(name),
      (name) => directory.mkdir(name, 0o755),
      (name) => directory.create(name),
      (name) => directory.openWriter(name),
      (name) => directory.open(name),
      (name) => directory.tryLock(name),
      (name) => directory.symlink("x", name),
      (name) => directory.link(directory, name, "x"),
      (name) => directory.link(directory, "x", name),
      (name) => directory.take(directory, name, "x"),
      (name) => directory.take(directory, "x", name),
      (name) => directory.unlink(name),
      (name) => directory.rmdir(name),
      (name) => directory.chmod(name, 0),
      (name) => directory.chown(name, { uid: 0, gid: 0 }),
      (name) => directory.utimes(name, { seconds: 0, nanoseconds: 0 }),
      (name) => directory.readlink(name),
      (name) => directory.stat(name),
    ];
    for (const method of methods) {
      for (const name of ["", ".", "..", "a/b", "/a", "a/", "a\0b", "../x"]) {
        assertThrows(() => method(name), TypeError, "Not a name");
      }
    }
  }));

for (const [how, use] of [["openat2", undefined], ["component by component", false]] as const) {
  Deno.test(`descending by ${how} follows no link and leaves nowhere`, () =>
    withDirectory((directory, path) => {
      useOpenat2(use);
      Deno.mkdirSync(`${path}/a/b/c`, { recursive: true });
      Deno.symlinkSync("b", `${path}/a/link`);
      Deno.symlinkSync("/", `${path}/a/root`);
      Deno.writeTextFileSync(`${path}/a/file`, "");
      using found = directory.descend("a/b/c");
      found.create("x").close();
      assertEquals(Deno.statSync(`${path}/a/b/c/x`).isFile, true);
      for (const away of ["a/link/c", "a/root/etc", "a/link", "a/root"]) {
        const code = errnoOf(() => directory.descend(away));
        assertEquals([Errno.ELOOP, Errno.ENOTDIR].some((errno) => errno === code), true, away);
      }
      assertEquals(errnoOf(() => directory.descend("a/file")), Errno.ENOTDIR);
      assertEquals(errnoOf(() => directory.descend("a/none/c")), Errno.ENOENT);
      for (const path of ["..", "a/..", "a/../../x", "/etc", "a//b", "."]) {
        assertThrows(() => directory.descend(path), TypeError);
      }
    }));
}

Deno.test("writes never go through a link", () =>
  withDirectory((directory, path) => {
    Deno.writeTextFileSync(`${path}/target`, "before");
    Deno.symlinkSync("target", `${path}/link`);
    Deno.symlinkSync("none", `${path}/dangling`);
    assertEquals(errnoOf(() => directory.create("link")), Errno.EEXIST);
    assertEquals(errnoOf(() => directory.create("dangling")), Errno.EEXIST);
    assertEquals(errnoOf(() => directory.openWriter("link")), Errno.ELOOP);
    directory.utimes("link", { seconds: 5, nanoseconds: 0 });
    assertEquals(Deno.lstatSync(`${path}/link`).mtime?.getTime(), 5000);
    assertEquals(Deno.statSync(`${path}/target`).mtime?.getTime() === 5000, false);
    directory.link(directory, "link", "hard");
    assertEquals(Deno.readLinkSync(`${path}/hard`), "target");
  }));

Deno.test("a closed directory is not used, since its number may be another's", () =>
  withDirectory((directory) => {
    directory.mkdir("d", 0o755);
    const child = directory.child("d");
    child[Symbol.dispose]();
    assertThrows(() => child.create("x"), TypeError, "closed");
  }));

Deno.test("names are bytes, and listing is not disturbed by removal", () =>
  withDirectory((directory) => {
    const names = new Set(["\xff\x80", toByteString("é"), "x".repeat(255)]);
    for (let i = 0; i < 3000; i++) names.add(`name-${i}`);
    for (const name of names) directory.create(name).close();
    const found = new Set<string>();
    for (const name of directory.names()) {
      found.add(name);
      directory.unlink(name);
    }
    assertEquals(found, names);
    assertEquals([...directory.names()], []);
  }));

Deno.test("modes are exact whatever the umask; times and sizes come back", () =>
  withDirectory((directory) => {
    const before = Deno.umask(0o077);
    try {
      directory.mkdir("d", 0o1777);
      const file = directory.create("f");
      file.write(new Uint8Array([1, 2]), 10);
      file.write(new Uint8Array([3]), 0);
      const mtime = { seconds: -2, nanoseconds: 500 };
      file.finish({ size: 100, mode: 0o666, mtime, owner: undefined });
    } finally {
      Deno.umask(before);
    }
    assertEquals(directory.stat("d")?.mode, 0o1777);
    const { mode, size, mtime, type } = directory.stat("f")!;
    assertEquals({ mode, size, mtime, type }, {
      mode: 0o666,
      size: 100,
      mtime: { seconds: -2, nanoseconds: 500 },
      type: "file",
    });
    using reader = directory.open("f");
    const buffer = new Uint8Array(13);
    assertEquals(reader.read(buffer, 0), 13);
    assertEquals([...buffer], [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]);
  }));
