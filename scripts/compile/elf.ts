/** ELF constants (System V ABI, chapter 5) that packing needs. */
export const Elf = {
  ET_DYN: 3,
  EM_X86_64: 62,
  EM_AARCH64: 183,
  PT_LOAD: 1,
  PT_DYNAMIC: 2,
  PT_INTERP: 3,
  PT_PHDR: 6,
  PT_GNU_STACK: 0x6474e551,
  PF_X: 1,
  PF_W: 2,
  PF_R: 4,
  DT_NULL: 0,
  DT_NEEDED: 1,
  DT_STRTAB: 5,
  DT_RELA: 7,
  DT_SONAME: 14,
  DT_RELR: 36,
} as const;

export const HEADER_SIZE = 64;
export const PROGRAM_HEADER_SIZE = 56;
export const DYNAMIC_SIZE = 16;

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  /** Unsigned and modulo 2^64: the tables made for ld.so may count backwards. */
  readonly address: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export interface DynamicEntry {
  readonly tag: number;
  readonly value: bigint;
}

export interface Section {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** A parsed 64-bit little-endian shared object or position-independent executable. */
export interface ElfFile {
  readonly bytes: Uint8Array;
  readonly machine: number;
  readonly entry: number;
  readonly headers: readonly ProgramHeader[];
  readonly sections: ReadonlyMap<string, Section>;
  readonly dynamic: readonly DynamicEntry[];
  /** Bytes after everything the headers speak of: `deno compile` appends its data there. */
  readonly trailer: Uint8Array;
}

/** Parses `bytes`; `name` is for messages. Throws when it is not an ELF file that can be packed. */
export function parseElf(bytes: Uint8Array, name: string): ElfFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (at: number) => Number(view.getBigUint64(at, true));
  if (view.byteLength < HEADER_SIZE || view.getUint32(0) !== 0x7f454c46) {
    throw new Error(`cannot pack "${name}": not an ELF file`);
  }
  if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1 || view.getUint16(16, true) !== Elf.ET_DYN) {
    throw new Error(`cannot pack "${name}": not 64-bit, little-endian and position-independent`);
  }

  const headersAt = number(32);
  const headers = range(view.getUint16(56, true)).map((i): ProgramHeader => {
    const at = headersAt + i * PROGRAM_HEADER_SIZE;
    return {
      type: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      offset: number(at + 8),
      address: view.getBigUint64(at + 16, true),
      fileSize: number(at + 32),
      memorySize: number(at + 40),
      align: number(at + 48),
    };
  });

  const sectionsAt = number(40);
  const sectionCount = view.getUint16(60, true);
  const sectionHeader = (i: number) => {
    const at = sectionsAt + i * 64;
    return {
      name: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      address: number(at + 16),
      offset: number(at + 24),
      size: number(at + 32),
    };
  };
  const NOBITS = 8;
  const all = range(sectionCount).map(sectionHeader);
  const names = all[view.getUint16(62, true)]?.offset ?? 0;
  const end = Math.max(
    sectionsAt + sectionCount * 64,
    ...headers.map((header) => header.offset + header.fileSize),
    ...all.filter((section) => section.type !== NOBITS).map((s) => s.offset + s.size),
  );

  const dynamicHeader = headers.find((header) => header.type === Elf.PT_DYNAMIC);
  return {
    bytes,
    machine: view.getUint16(18, true),
    entry: number(24),
    headers,
    sections: new Map(all.map((section) => [text(bytes, names + section.name), section])),
    dynamic: dynamicHeader === undefined ? [] : dynamicEntries(view, dynamicHeader),
    trailer: bytes.subarray(end),
  };
}

function dynamicEntries(view: DataView, header: ProgramHeader): DynamicEntry[] {
  const entries = range(header.fileSize / DYNAMIC_SIZE).map((i) => ({
    tag: Number(view.getBigUint64(header.offset + i * DYNAMIC_SIZE, true)),
    value: view.getBigUint64(header.offset + i * DYNAMIC_SIZE + 8, true),
  }));
  return entries.slice(0, entries.findIndex((entry) => entry.tag === Elf.DT_NULL));
}

/** The strings that the dynamic section names with `tag`: `DT_NEEDED`, `DT_SONAME`. */
export function dynamicStrings(elf: ElfFile, tag: number): string[] {
  const table = elf.dynamic.find((entry) => entry.tag === Elf.DT_STRTAB);
  if (table === undefined) return [];
  const at = fileOffset(elf, Number(table.value));
  return elf.dynamic.filter((entry) => entry.tag === tag)
    .map((entry) => text(elf.bytes, at + Number(entry.value)));
}

function fileOffset(elf: ElfFile, address: number): number {
  const segment = elf.headers.find((header) =>
    header.type === Elf.PT_LOAD && Number(header.address) <= address &&
    address < Number(header.address) + header.fileSize
  );
  if (segment === undefined) throw new Error(`no segment holds the address ${address}`);
  return address - Number(segment.address) + segment.offset;
}

/** The NUL-terminated string at `at`. */
export function text(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
