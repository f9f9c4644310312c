import { DYNAMIC_SIZE, type DynamicEntry, PROGRAM_HEADER_SIZE, type ProgramHeader } from "./elf.ts";

/** The limits of `helper/layout.h`. */
export const MAX_LIBRARIES = 8;
const MAX_PROGRAM_HEADERS = 16;
const MAX_DYNAMIC = 64;
const LIBRARY_NAME = 32;

/** Where the parts of `struct tables` begin. */
export const TABLES = {
  header: 0,
  dynamic: MAX_PROGRAM_HEADERS * PROGRAM_HEADER_SIZE,
  libraryName: (index: number) =>
    MAX_PROGRAM_HEADERS * PROGRAM_HEADER_SIZE + MAX_DYNAMIC * DYNAMIC_SIZE + index * LIBRARY_NAME,
} as const;

export interface Extent {
  readonly at: number;
  readonly size: number;
}

export interface Strings {
  readonly at: number;
  readonly count: number;
}

/** `struct layout` of `helper/layout.h`; every address counts from the start of the image. */
export interface Layout {
  readonly self: number;
  readonly loader: number;
  readonly loaderEntry: number;
  readonly runtimeEntry: number;
  readonly runtimeHeaders: number;
  readonly libraries: readonly Extent[];
  readonly arguments: Strings;
  readonly environment: Strings;
}

export function encodeLayout(layout: Layout): Uint8Array {
  const words = [
    layout.self,
    layout.loader,
    layout.loaderEntry,
    layout.runtimeEntry,
    layout.runtimeHeaders,
    atMost(MAX_LIBRARIES, "libraries", layout.libraries).length,
  ];
  for (let i = 0; i < MAX_LIBRARIES; i++) {
    words.push(layout.libraries[i]?.at ?? 0, layout.libraries[i]?.size ?? 0);
  }
  words.push(layout.arguments.at, layout.arguments.count);
  words.push(layout.environment.at, layout.environment.count);
  return new Uint8Array(BigUint64Array.from(words, BigInt).buffer);
}

/** `struct tables`; library names are the launcher's to fill in. */
export function encodeTables(
  headers: readonly ProgramHeader[],
  dynamic: readonly DynamicEntry[],
): Uint8Array {
  const bytes = new Uint8Array(TABLES.libraryName(MAX_LIBRARIES));
  bytes.set(encodeProgramHeaders(atMost(MAX_PROGRAM_HEADERS, "program headers", headers)));
  const view = new DataView(bytes.buffer, TABLES.dynamic);
  // One less: the zeroes of the last are DT_NULL.
  atMost(MAX_DYNAMIC - 1, "dynamic entries", dynamic).forEach((entry, i) => {
    view.setBigUint64(i * DYNAMIC_SIZE, BigInt(entry.tag), true);
    view.setBigUint64(i * DYNAMIC_SIZE + 8, BigInt.asUintN(64, entry.value), true);
  });
  return bytes;
}

export function encodeProgramHeaders(headers: readonly ProgramHeader[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(headers.length * PROGRAM_HEADER_SIZE));
  headers.forEach((header, i) => {
    const at = i * PROGRAM_HEADER_SIZE;
    const address = BigInt.asUintN(64, header.address);
    view.setUint32(at, header.type, true);
    view.setUint32(at + 4, header.flags, true);
    view.setBigUint64(at + 8, BigInt(header.offset), true);
    view.setBigUint64(at + 16, address, true);
    view.setBigUint64(at + 24, address, true);
    view.setBigUint64(at + 32, BigInt(header.fileSize), true);
    view.setBigUint64(at + 40, BigInt(header.memorySize), true);
    view.setBigUint64(at + 48, BigInt(header.align), true);
  });
  return new Uint8Array(view.buffer);
}

function atMost<T>(limit: number, what: string, list: readonly T[]): readonly T[] {
  if (list.length > limit) {
    throw new Error(`${list.length} ${what}, where helper/layout.h has room for ${limit}`);
  }
  return list;
}
