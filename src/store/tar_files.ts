import { Exit, RunnerError } from "../errors.ts";
import {
  type ByteSource,
  compressedSource,
  compressionOf,
  fileSource,
  ForwardReader,
} from "./byte_source.ts";
import type { FileSet, StoredFile } from "./files.ts";

/** Where a member's bytes are in the archive, or what it is a link to. */
type Member =
  | { readonly offset: number; readonly size: number }
  | { readonly linkTo: string };

const BLOCK = 512;
/** An archive of an image has a few files a layer. */
const MAX_MEMBERS = 100_000;
const MAX_EXTENSION = 1024 * 1024;
const MAX_LINKS = 8;

/**
 * The members of a tar archive that holds an image, read in place: the archive's headers are
 * scanned once, its files never unpacked. A gzip or zstd archive is decompressed anew for each file
 * read. Throws {@linkcode RunnerError} 65 for what is no whole tar archive.
 */
export async function tarFiles(path: string): Promise<FileSet> {
  const compression = await compressionOf(path);
  const source = compression === undefined ? fileSource(path) : compressedSource(path, compression);
  await using reader = new ForwardReader(source, compression === undefined);
  const members = await scan(path, reader);
  return {
    file(name) {
      const member = follow(members, name);
      return Promise.resolve(member && memberFile(path, source, member));
    },
  };
}

function memberFile(
  path: string,
  source: ByteSource,
  { offset, size }: { offset: number; size: number },
): StoredFile {
  return {
    size,
    async *read() {
      let left = size;
      if (left === 0) return;
      for await (const chunk of source.read(offset)) {
        yield chunk.subarray(0, left);
        left -= Math.min(left, chunk.length);
        if (left === 0) return;
      }
      throw damaged(path, "it ends within a file");
    },
  };
}

/** `docker save` of old wrote a layer that two images share as a link. */
function follow(
  members: ReadonlyMap<string, Member>,
  name: string,
): { offset: number; size: number } | undefined {
  let at = name;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const member = members.get(at);
    if (member === undefined || "offset" in member) return member;
    at = member.linkTo;
  }
  return undefined;
}

async function scan(path: string, reader: ForwardReader): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  let longName: string | undefined;
  let longLink: string | undefined;
  let longSize: number | undefined;
  for (let at = 0;;) {
    const header = await reader.read(at, BLOCK);
    if (header.length === 0 || (header.length === BLOCK && header.every((byte) => byte === 0))) {
      if (at === 0) throw damaged(path, "it is empty");
      return members;
    }
    if (header.length < BLOCK) throw damaged(path, "it ends within a header");
    if (!checksumFits(header)) {
      throw damaged(path, at === 0 ? "it is not a tar archive" : "a header in it is damaged");
    }
    const type = String.fromCharCode(header[156] ?? 0);
    const size = (type === "x" || type === "L" ? undefined : longSize) ?? number(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0) throw damaged(path, "a size in it is not valid");
    const offset = at + BLOCK;
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
    if (type === "L" || type === "K" || type === "x") {
      if (size > MAX_EXTENSION) throw damaged(path, "a name in it is too long");
      const bytes = await reader.read(offset, size);
      if (bytes.length < size) throw damaged(path, "it ends within a header");
      if (type === "L") longName = text(bytes, 0, size);
      if (type === "K") longLink = text(bytes, 0, size);
      if (type === "x") {
        const records = paxRecords(bytes);
        longName = records.get("path") ?? longName;
        longLink = records.get("linkpath") ?? longLink;
        longSize = records.has("size") ? Number(records.get("size")) : undefined;
      }
      continue;
    }
    const name = longName ?? ustarName(header);
    const link = longLink ?? text(header, 157, 100);
    longName = longLink = longSize = undefined;
    if (members.size >= MAX_MEMBERS) throw damaged(path, "it has too many files");
    if (type === "0" || type === "\0" || type === "7") {
      members.set(normal(name), { offset, size });
    } else if (type === "1") {
      members.set(normal(name), { linkTo: normal(link) });
    } else if (type === "2") {
      members.set(normal(name), { linkTo: normal(`${name}/../${link}`) });
    }
  }
}

/** A member's name without `.`, `..` and empty components: a key, never a path on disk. */
function normal(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function ustarName(header: Uint8Array): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 6) === "ustar" ? text(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** A field's text up to its first zero byte. */
function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** An octal field, or GNU's base-256 for what does not fit. */
function number(header: Uint8Array, start: number, length: number): number {
  const first = header[start] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = text(header, start, length).trim();
    return /^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN;
  }
  let value = first & 0x7f;
  for (const byte of header.subarray(start + 1, start + length)) value = value * 256 + byte;
  return value;
}

function checksumFits(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i] ?? 0;
  return sum === number(header, 148, 8);
}

/** POSIX extended header records: `length key=value\n`, the length counting itself. */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(text(bytes, at, space - at));
    if (space < 0 || !(length > space - at + 1)) break;
    const [key = "", ...value] = text(bytes, space + 1, length - (space - at) - 2).split("=");
    records.set(key, value.join("="));
    at += length;
  }
  return records;
}

function damaged(path: string, problem: string): RunnerError {
  return new RunnerError(Exit.data, `read archive "${path}": ${problem}`);
}
