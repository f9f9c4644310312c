/**
 * The native codec (helper/codec/): gunzip and SHA-256 in C, called through FFI. The packed
 * executable brings it, in its launcher, and offers it where the processor has what it needs.
 */

import { functionAt } from "./libc.ts";
import { NativeDecoder } from "./native_decoder.ts";

/**
 * `struct codec` of helper/codec/codec.h: the sizes of an owner and of a decoder, then the functions,
 * in order.
 */
const FUNCTIONS = {
  begin: { parameters: ["buffer", "buffer", "bool"], result: "void" },
  work: { parameters: ["buffer"], result: "void", nonblocking: true },
  give: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  close: { parameters: ["buffer"], result: "void" },
  drop: { parameters: ["buffer"], result: "void" },
  release: { parameters: ["buffer", "u32"], result: "void" },
  flush: { parameters: ["buffer", "u32"], result: "void" },
  help: { parameters: ["buffer"], result: "bool" },
  rest: { parameters: ["buffer", "u32"], result: "void", nonblocking: true },
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
  /** `struct owner`: of all decoders. */
  readonly #owner: Uint8Array<ArrayBuffer>;
  readonly #changes: Uint32Array<ArrayBuffer>;
  /** Memory of decoders that have ended, for the next ones. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #layers = 0;
  #waiting: { readonly decoder: NativeDecoder; readonly resolve: () => void }[] = [];

  /**
   * @param address of a `struct codec`, see {@linkcode codecAddress}
   * @param threads a decoder works on a thread of its own, ahead of this isolate, which must then
   *   not be ended while a decoder is open; else it works when it is waited for
   */
  constructor(address: bigint, threads: boolean) {
    const names = Object.keys(FUNCTIONS) as (keyof CodecFunctions)[];
    const [ownerSize, decoderSize, ...functions] = new BigUint64Array(
      Deno.UnsafePointerView.getArrayBuffer(pointer(address), 8 * (2 + names.length)),
    );
    this.#owner = new Uint8Array(Number(ownerSize));
    this.#changes = new Uint32Array(this.#owner.buffer, 0, 1);
    this.#decoderSize = Number(decoderSize);
    this.#functions = Object.fromEntries(
      names.map((name, i) => [name, functionAt(pointer(functions[i]!), FUNCTIONS[name])]),
    ) as unknown as CodecFunctions;
    this.#threads = threads;
  }

  /** A layer is being read, whether or not it has a decoder yet, until the result is disposed of. */
  layer(): Disposable {
    this.#layers++;
    return { [Symbol.dispose]: () => void this.#layers-- };
  }

  decoder(): NativeDecoder {
    // Megabytes: an image of many layers must not leave as many blocks of memory behind.
    const state = this.#free.pop() ?? new Uint8Array(this.#decoderSize);
    const { begin, work } = this.#functions;
    begin(state, this.#owner, this.#threads);
    // The thread's memory, the owner's too, is kept and left alone until it has ended.
    const ended = this.#threads ? work(state) : Promise.resolve();
    return new NativeDecoder(state, this.#functions, () => {
      ended.then(() => this.#free.push(state));
    });
  }

  /**
   * Waits until the decoder, when it can neither take nor give anything, may be able to: for as long
   * as decoding some takes. This thread does a part of the work meanwhile, or sleeps; where it reads
   * other layers, one of the runtime's threads sleeps in its stead. Gives nothing to await where all
   * of that is done already.
   */
  wait(decoder: NativeDecoder): Promise<void> | undefined {
    decoder.wanted = true;
    if (this.#layers < 2) {
      this.#functions.wait(this.#owner);
      decoder.wanted = false;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push({ decoder, resolve });
      if (this.#waiting.length === 1) this.#helpOrRest().then(() => this.#resolveAll());
    });
  }

  /** Lets the network, and the other layers, have their turns. */
  #helpOrRest(): Promise<void> {
    const { help, rest } = this.#functions;
    const changes = Atomics.load(this.#changes, 0);
    // What came before these is long past.
    return rest(this.#owner, help(this.#owner) ? changes - 1 >>> 0 : changes);
  }

  #resolveAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { decoder, resolve } of waiting) {
      decoder.wanted = false;
      resolve();
    }
  }
}

function pointer(address: bigint): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new Error("The codec has no address");
  return pointer;
}
