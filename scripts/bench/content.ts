/**
 * File contents that compress and decompress as those of real images do: text of words in their
 * natural frequencies (about 3.5:1 by gzip), and what machine code and its tables look like (about
 * 2.6:1). The same seed makes the same bytes on every machine.
 */

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Kind = "text" | "binary";

/** Far larger than deflate's window of 32 KiB, so that what is taken from it twice is new to it. */
const POOL = 8 * 1024 * 1024;

/** Makes contents out of pools of text and binary, cut anew for every file. */
export class ContentMaker {
  readonly #random: Random;
  readonly #pools: Readonly<Record<Kind, Uint8Array>>;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.#pools = { text: textPool(this.#random), binary: binaryPool(this.#random) };
  }

  /** The next content of this size in bytes. */
  make(kind: Kind, size: number): Uint8Array<ArrayBuffer> {
    const content = new Uint8Array(size);
    const pool = this.#pools[kind];
    for (let at = 0; at < size;) {
      const length = Math.min(size - at, 4096 + Math.floor(this.#random() * 60 * 1024));
      const from = Math.floor(this.#random() * (POOL - length));
      content.set(pool.subarray(from, from + length), at);
      at += length;
    }
    return content;
  }
}

const encoder = new TextEncoder();

function textPool(random: Random): Uint8Array {
  const words = Array.from({ length: 6000 }, () => word(random));
  const pool = new Uint8Array(POOL);
  for (let at = 0; at < POOL;) {
    const line = encoder.encode(sourceLine(random, words));
    pool.set(line.subarray(0, POOL - at), at);
    at += line.length;
  }
  return pool;
}

const SYLLABLES = "a be con der el fig gen hand in ject ker lo mod ner o par que res set ter un val"
  .split(" ");

function word(random: Random): string {
  let made = "";
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) made += pick(random, SYLLABLES);
  return made;
}

const LINES = [
  "%.% = %(%, %);\n",
  "if (% !== %) return %.%(%);\n",
  "const % = await %.%(%, { %: %, % });\n",
  "// % % % % the % of % and % is %\n",
  "export function %(%: %, %: %): % {\n",
  "}\n\n",
  "throw new Error(`% %: % ${%}`);\n",
  'import { %, % } from "./%/%.js";\n',
];

function sourceLine(random: Random, words: readonly string[]): string {
  const indent = "  ".repeat(Math.floor(random() * 4));
  // Words come in nearly Zipf's frequencies: a few all the time, most of them rarely.
  const zipf = () => words[Math.floor(words.length * random() ** 5)]!;
  return indent + pick(random, LINES).replaceAll("%", zipf);
}

/** Idioms of instructions, strings, tables of rising addresses, runs of zeros. */
function binaryPool(random: Random): Uint8Array {
  const pool = new Uint8Array(POOL);
  const view = new DataView(pool.buffer);
  const opcodes = Array.from({ length: 400 }, () => Math.floor(random() * 2 ** 32));
  const idioms = Array.from({ length: 3000 }, () => instructions(random, opcodes));
  const strings = Array.from({ length: 4000 }, () => encoder.encode(`${word(random)}_%s\0`));
  const put = (bytes: Uint8Array, at: number) => {
    pool.set(bytes.subarray(0, POOL - at), at);
    return at + bytes.length;
  };
  for (let at = 0; at < POOL;) {
    const section = random();
    const end = Math.min(POOL, at + 256 + Math.floor(random() * 4096));
    if (section < 0.72) {
      while (at < end) {
        const from = at;
        at = put(idioms[Math.floor(idioms.length * random() ** 5)]!, at);
        // Most idioms differ by the register or the offset they work on.
        if (at < POOL && random() < 0.55) pool[from + 3] = Math.floor(random() * 256);
      }
    } else if (section < 0.82) {
      while (at < end) at = put(pick(random, strings), at);
    } else if (section < 0.95) {
      let address = Math.floor(random() * 2 ** 31);
      for (; at + 8 <= end; at += 8) {
        address += 16 * Math.floor(random() * 16);
        view.setUint32(at, address, true);
      }
      at = end;
    } else {
      at = end;
    }
  }
  return pool;
}

/** A few instructions of 4 bytes that compilers emit together. */
function instructions(random: Random, opcodes: readonly number[]): Uint8Array {
  const sequence = new Uint32Array(2 + Math.floor(random() * 8));
  return new Uint8Array(sequence.map(() => pick(random, opcodes)).buffer);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!;
}
