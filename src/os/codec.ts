/**
 * The native codec (helper/codec/): gunzip and SHA-256 in C, called through FFI. The packed
 * executable brings it, in its launcher, and offers it where the processor has what it needs.
 */

import { functionAt } from "./libc.ts";
import { NativeDecoder } from "./native_decoder.ts";

/** `struct codec` of helper/codec/codec.h: the size of a decoder, then its functions, in order. */
const FUNCTIONS = {
  begin: { parameters: ["buffer", "bool"], result: "void" },
  work: { parameters: ["buffer"], result: "void", nonblocking: true },
  give: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  close: { parameters: ["buffer"], result: "void" },
  release: { parameters: ["buffer", "u32"], result: "void" },
  flush: { parameters: ["buffer", "u32"], result: "void" },
  wait: { parameters: ["buffer"], result: "void" },
  stop: { parameters: ["buffer"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

export type CodecFunctions = {
  readonly [Name in keyof typeof FUNCTIONS]: Call<typeof FUNCTIONS[Name]>;
};
type Call<F extends Deno.ForeignFunction> = Deno.UnsafeFnPointer<F>["call"];

declare global {
  /** What the packed executable's boot script tells the program (scripts/compile/boot.ts). */
  var fastmcpRunner: { readonly codec?: string } | undefined;
}

/**
 * Where in this process the codec is. Unset: the executable was not packed, or this processor lacks
 * the instructions.
 */
export function codecAddress(): bigint | undefined {
  const address = globalThis.fastmcpRunner?.codec;
  return address === undefined ? undefined : BigInt(address);
}

/** Makes decoders of gzipped layers. */
export class Codec {
  readonly #decoderSize: number;
  readonly #functions: CodecFunctions;
  readonly #threads: boolean;
  /** Memory of decoders that have ended, for the next ones. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /**
   * @param address of a `struct codec`, see {@linkcode codecAddress}
   * @param threads a decoder works on a thread of its own, ahead of this isolate, which must then
   *   not be ended while a decoder is open; else it works when it is waited for
   */
  constructor(address: bigint, threads: boolean) {
    const names = Object.keys(FUNCTIONS) as (keyof CodecFunctions)[];
    const words = new BigUint64Array(
      Deno.UnsafePointerView.getArrayBuffer(pointer(address), 8 * (1 + names.length)),
    );
    this.#decoderSize = Number(words[0]);
    this.#functions = Object.fromEntries(
      names.map((name, i) => [name, functionAt(pointer(words[1 + i]!), FUNCTIONS[name])]),
    ) as unknown as CodecFunctions;
    this.#threads = threads;
  }

  decoder(): NativeDecoder {
    // Megabytes: an image of many layers must not leave as many blocks of memory behind.
    const state = this.#free.pop() ?? new Uint8Array(this.#decoderSize);
    const { begin, work } = this.#functions;
    begin(state, this.#threads);
    // The thread's memory is kept, and left alone, until it has ended.
    const ended = this.#threads ? work(state) : Promise.resolve();
    return new NativeDecoder(state, this.#functions, () => {
      ended.then(() => this.#free.push(state));
    });
  }
}

function pointer(address: bigint): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new Error("The codec has no address");
  return pointer;
}
