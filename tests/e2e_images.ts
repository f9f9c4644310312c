import type { ImageInput, LayerInput } from "./registry/layout.ts";
import { tar } from "./registry/tar.ts";

/**
 * Tells everything it was given, as the kernel has it, and ends. A shell with `-c` has no script
 * open, and the base system has one: no peer is needed. It asks with builtins alone, for while a
 * shell starts another program it has signals blocked and may have pipes open.
 */
const DUMP = `
echo "pid: $$"
while read -r line; do echo "$line"; done < /proc/self/status
fd=0
while [ $fd -lt 1024 ]; do
  if [ -L /proc/self/fd/$fd ]; then echo "fd $fd"; fi
  fd=$((fd + 1))
done
echo "Cwd: $(pwd)"
tr '\\0' '\\n' < /proc/$$/environ | sed 's/^/env /'
echo "args: $*"
exit 7
`;

/** Its server prints what it was given (DUMP) and exits with status 7. */
export function dumpImage(): ImageInput {
  return {
    layers: [{ tar: tar([{ path: "app" }, { path: "app/hello.txt", content: "hello\n" }]) }],
    config: {
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "FROM_IMAGE=yes", "PORT=1"],
      Entrypoint: ["/bin/sh", "-c", DUMP, "dump"],
      Cmd: ["from", "cmd"],
      WorkingDir: "/app",
    },
  };
}

/** Starts nothing: neither an entrypoint nor a command. */
export function commandlessImage(): ImageInput {
  return { ...dumpImage(), config: { Env: [], WorkingDir: "/app" } };
}

/** One layer of one file whose bytes do not compress. @param size In bytes */
export function ballast(size: number): LayerInput {
  const content = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(content.subarray(at, Math.min(at + 65_536, size)));
  }
  return { tar: tar([{ path: "app" }, { path: "app/ballast.bin", content }]), level: 1 };
}
