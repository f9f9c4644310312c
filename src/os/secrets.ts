import { libc } from "./libc.ts";

const c = libc({ getenv: { parameters: ["buffer"], result: "pointer" } });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the kernel laid a process's arguments and environment (proc(5), /proc/PID/stat). */
interface Block {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Removes variables from this process's environment and zeroes the bytes of their values, so that
 * `/proc/PID/environ` no longer shows them. Whoever needs a value has read it before.
 */
export function wipeVariables(isSecret: (name: string) => boolean): void {
  for (const name of Object.keys(Deno.env.toObject()).filter(isSecret)) {
    const value = c.getenv(encoder.encode(name + "\0"));
    if (value !== null) {
      const view = new Deno.UnsafePointerView(value);
      let length = 0;
      while (view.getUint8(length) !== 0) length++;
      new Uint8Array(view.getArrayBuffer(length)).fill(0);
    }
    Deno.env.delete(name);
  }
  // A name that is given twice has a second entry, which getenv does not see.
  const block = blockOf(50);
  if (block === undefined) return;
  forEachString(block, (bytes) => {
    const equals = bytes.indexOf("=".charCodeAt(0));
    if (equals > 0 && isSecret(decoder.decode(bytes.subarray(0, equals)))) {
      bytes.subarray(equals + 1).fill(0);
    }
  });
}

/** Overwrites every occurrence of the texts in what `/proc/PID/cmdline` shows. */
export function wipeArguments(secrets: readonly string[]): void {
  const block = blockOf(48);
  if (block === undefined) return;
  const needles = secrets.filter((text) => text !== "").map((text) => encoder.encode(text));
  forEachString(block, (bytes) => {
    for (const needle of needles) {
      for (let at = 0; at + needle.length <= bytes.length; at++) {
        if (needle.every((byte, i) => bytes[at + i] === byte)) {
          bytes.fill("*".charCodeAt(0), at, at + needle.length);
        }
      }
    }
  });
}

/** @returns undefined where /proc is not mounted */
function blockOf(field: 48 | 50): Block | undefined {
  let stat: string;
  try {
    stat = Deno.readTextFileSync("/proc/self/stat");
  } catch {
    return undefined;
  }
  // The second field is a program name in parentheses, which may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).trim().split(" ");
  const start = BigInt(fields[field - 3] ?? 0);
  const end = BigInt(fields[field - 2] ?? 0);
  return start > 0n && end > start ? { start, end } : undefined;
}

function forEachString({ start, end }: Block, visit: (bytes: Uint8Array) => void): void {
  const pointer = Deno.UnsafePointer.create(start);
  if (pointer === null) return;
  const memory = new Uint8Array(
    Deno.UnsafePointerView.getArrayBuffer(pointer, Number(end - start)),
  );
  for (let from = 0; from < memory.length;) {
    const nul = memory.indexOf(0, from);
    const to = nul < 0 ? memory.length : nul;
    visit(memory.subarray(from, to));
    from = to + 1;
  }
}
