/**
 * Archives as nobody's tar would write them: every field of every header can be set, entries can
 * be malformed on purpose, and nothing is checked.
 */

const BLOCK = 512;
const encoder = new TextEncoder();

export type Text = string | Uint8Array;

export interface HeaderFields {
  readonly path?: Text;
  readonly flag?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: Text;
  readonly content?: Text;
  /** @default the content's length */
  readonly size?: number;
  readonly prefix?: string;
  /** @default "ustar" */
  readonly format?: "ustar" | "gnu" | "v7" | "star";
  /** Changes the finished header block; the checksum is computed after. */
  readonly patch?: (block: Uint8Array) => void;
  /** @default true: the checksum is right */
  readonly checksum?: boolean;
}

/** A tar archive put together entry by entry. */
export class ArchiveBuilder {
  readonly #parts: Uint8Array[] = [];

  /** A header of any kind with its content. */
  entry(fields: HeaderFields): this {
    const content = bytesOf(fields.content ?? "");
    this.#parts.push(header(fields, fields.size ?? content.length));
    return this.raw(content).#pad(content.length);
  }

  file(path: Text, content: Text = "", fields: HeaderFields = {}): this {
    return this.entry({ flag: "0", mode: 0o644, ...fields, path, content });
  }

  dir(path: Text, fields: HeaderFields = {}): this {
    return this.entry({ flag: "5", mode: 0o755, ...fields, path });
  }

  symlink(path: Text, link: Text, fields: HeaderFields = {}): this {
    return this.entry({ flag: "2", mode: 0o777, ...fields, path, link });
  }

  link(path: Text, link: Text, fields: HeaderFields = {}): this {
    return this.entry({ flag: "1", mode: 0o644, ...fields, path, link });
  }

  whiteout(path: string): this {
    const slash = path.lastIndexOf("/");
    return this.file(`${path.slice(0, slash + 1)}.wh.${path.slice(slash + 1)}`);
  }

  opaque(directory: string): this {
    return this.file(`${directory}/.wh..wh..opq`);
  }

  /** A PAX extended header for the next entry; values may be any bytes. */
  pax(records: Readonly<Record<string, Text>> | readonly (readonly [string, Text])[]): this {
    const pairs = Array.isArray(records) ? records : Object.entries(records);
    const content = concat(pairs.map(([key, value]) => paxRecord(key, value)));
    return this.entry({ path: "PaxHeaders/x", flag: "x", content });
  }

  /** A PAX header with these bytes, well formed or not. */
  rawPax(content: Text, flag = "x"): this {
    return this.entry({ path: "PaxHeaders/x", flag, content });
  }

  gnuLongName(name: Text): this {
    return this.#gnuLong("L", name);
  }

  gnuLongLink(name: Text): this {
    return this.#gnuLong("K", name);
  }

  /** Bytes as they are, aligned or not. */
  raw(bytes: Text): this {
    this.#parts.push(bytesOf(bytes));
    return this;
  }

  /** The archive without its end. */
  unfinished(): Uint8Array<ArrayBuffer> {
    return concat(this.#parts);
  }

  /** The archive with the two blocks of zeros that end it. */
  build(): Uint8Array<ArrayBuffer> {
    return concat([...this.#parts, new Uint8Array(2 * BLOCK)]);
  }

  #gnuLong(flag: string, name: Text): this {
    const content = concat([bytesOf(name), new Uint8Array(1)]);
    return this.entry({ path: "././@LongLink", flag, content, format: "gnu" });
  }

  #pad(length: number): this {
    return this.raw(new Uint8Array((BLOCK - length % BLOCK) % BLOCK));
  }
}

export function archive(): ArchiveBuilder {
  return new ArchiveBuilder();
}

export function bytesOf(text: Text): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** `length key=value\n`, where the length counts its own digits. */
export function paxRecord(key: string, value: Text): Uint8Array {
  const rest = concat([encoder.encode(` ${key}=`), bytesOf(value), encoder.encode("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return concat([encoder.encode(String(length)), rest]);
}

function header(fields: HeaderFields, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, length: number, text: Text) =>
    block.set(bytesOf(text).subarray(0, length), at);
  put(0, 100, fields.path ?? "");
  number(block, 100, 8, fields.mode ?? 0o644);
  number(block, 108, 8, fields.uid ?? 0);
  number(block, 116, 8, fields.gid ?? 0);
  number(block, 124, 12, size);
  number(block, 136, 12, fields.mtime ?? 1_700_000_000);
  put(156, 1, fields.flag ?? "0");
  put(157, 100, fields.link ?? "");
  const format = fields.format ?? "ustar";
  if (format === "gnu") put(257, 8, "ustar  \0");
  else if (format !== "v7") put(257, 8, "ustar\x0000");
  if (format === "star") put(508, 4, "tar\0");
  if (fields.prefix !== undefined) put(345, 155, fields.prefix);
  fields.patch?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0) + (fields.checksum === false ? 1 : 0);
  put(148, 8, sum.toString(8).padStart(6, "0") + "\0 ");
  return block;
}

/** Octal where it fits, else base-256. */
export function number(block: Uint8Array, at: number, length: number, value: number): void {
  const octal = value.toString(8);
  if (value >= 0 && octal.length < length) {
    block.set(encoder.encode(octal.padStart(length - 1, "0") + "\0"), at);
    return;
  }
  let rest = BigInt(value);
  for (let i = at + length - 1; i >= at; i--) {
    block[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = block[at]! | 0x80;
}
