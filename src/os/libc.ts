type Call = (...args: unknown[]) => unknown;

/**
 * Calls of a symbol that are made by its address, at some microseconds each. Then it is opened: that
 * takes a third of a millisecond, in which the runtime makes machine code of the call.
 */
const CALLS_BY_ADDRESS = 32;

/**
 * libc through FFI. Every file that calls it declares its own symbols with {@linkcode libc}; no
 * file outside `src/os/` does. A symbol is looked up when it is first called, since a command calls
 * few of all there are, and most of these a few times.
 */
export function libc<const S extends Record<string, Deno.ForeignFunction>>(
  symbols: S,
): Deno.DynamicLibrary<S>["symbols"] {
  const calls: Record<string, Call> = {};
  for (const [name, definition] of Object.entries(symbols)) {
    let call: Call | undefined;
    let left = CALLS_BY_ADDRESS;
    calls[name] = (...args) => {
      if (left-- === 0) call = undefined;
      call ??= (left >= 0 ? byAddress(name, definition) : undefined) ??
        (calls[name] = open({ [name]: definition })[name] as Call);
      return call(...args);
    };
  }
  return calls as Deno.DynamicLibrary<S>["symbols"];
}

function open<const S extends Deno.ForeignLibraryInterface>(symbols: S) {
  return Deno.dlopen("libc.so.6", symbols).symbols;
}

/** Undefined on a C library that has its dlsym elsewhere (glibc before 2.34). */
const { dlsym } = open({
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer", optional: true },
});
const RTLD_DEFAULT = null;

function byAddress(name: string, definition: Deno.ForeignFunction): Call | undefined {
  const address = dlsym?.(RTLD_DEFAULT, new TextEncoder().encode(name + "\0")) ?? null;
  return address === null ? undefined : functionAt(address, definition) as Call;
}

/** A function of this process. */
export function functionAt<const F extends Deno.ForeignFunction>(
  address: Deno.PointerObject,
  definition: F,
): Deno.UnsafeFnPointer<F>["call"] {
  const native = new Deno.UnsafeFnPointer(address as Deno.PointerObject<F>, definition);
  return native.call.bind(native) as Deno.UnsafeFnPointer<F>["call"];
}

/**
 * This thread's errno is its only element, in memory: to be read right after a call that failed,
 * before any function is called, even one of ours. On entering one V8 may take the time for work of
 * its own, such as putting compiled code to use, whose system calls have an errno too.
 */
export const errno: Int32Array = errnoOfThread();

function errnoOfThread(): Int32Array {
  const name = "__errno_location";
  const definition = { parameters: [], result: "pointer" } as const;
  const location = byAddress(name, definition) ?? open({ [name]: definition })[name] as Call;
  const at = location() as Deno.PointerValue;
  if (at === null) throw new Error("libc has no errno");
  return new Int32Array(new Deno.UnsafePointerView(at).getArrayBuffer(4));
}

/** Linux errno values the runner tells apart (the same on x86-64 and arm64). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENOEXEC: 8,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOPNOTSUPP: 95,
  EDQUOT: 122,
} as const;

const WORDS: Readonly<Record<number, string>> = {
  [Errno.EPERM]: "operation not permitted",
  [Errno.ENOENT]: "no such file or directory",
  [Errno.EIO]: "input/output error",
  [Errno.ENOEXEC]: "not an executable format",
  [Errno.EACCES]: "permission denied",
  [Errno.EBUSY]: "in use or a mount point",
  [Errno.EEXIST]: "it exists already",
  [Errno.EXDEV]: "it is on another file system",
  [Errno.ENOTDIR]: "not a directory",
  [Errno.EISDIR]: "it is a directory",
  [Errno.EINVAL]: "invalid argument",
  [Errno.EMFILE]: "too many open files",
  [Errno.EFBIG]: "file too large",
  [Errno.ENOSPC]: "no space left on device",
  [Errno.EROFS]: "read-only file system",
  [Errno.EMLINK]: "too many links",
  [Errno.ENAMETOOLONG]: "file name too long",
  [Errno.ENOSYS]: "the kernel does not have this call",
  [Errno.ENOTEMPTY]: "directory not empty",
  [Errno.ELOOP]: "a symbolic link is in the way",
  [Errno.EOPNOTSUPP]: "not supported",
  [Errno.EDQUOT]: "disk quota exceeded",
};

/** A system call that failed; callers branch on `errno`. */
export class SystemError extends Error {
  readonly call: string;
  readonly errno: number;

  constructor(call: string, errno: number, on?: string) {
    super(`${call}${on === undefined ? "" : ` "${on}"`}: ${WORDS[errno] ?? `errno ${errno}`}`);
    this.name = "SystemError";
    this.call = call;
    this.errno = errno;
  }
}

/** What an errno means, in words, without the call. */
export function errnoText(value: number): string {
  return WORDS[value] ?? `errno ${value}`;
}
