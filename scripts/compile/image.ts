import { Elf, type ElfFile, HEADER_SIZE, PROGRAM_HEADER_SIZE, type ProgramHeader } from "./elf.ts";
import { encodeProgramHeaders } from "./layout.ts";

interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Linux maps a file's cached pages around a fault in units of up to this size, when file and memory
 * are aligned alike: less memory and fewer faults than with the smallest page.
 */
export const LARGE_PAGE = 0x10000;

/** Room for the program headers, which are counted only at the end. */
const MAX_SEGMENTS = 32;

/**
 * An executable under construction: first its headers and read-only data, then the segments of
 * other ELF files at bases of their own. All addresses count from the start of the image.
 */
export class Image {
  readonly #pageSize: number;
  readonly #machine: number;
  readonly #data: Piece[] = [];
  readonly #segments: (ProgramHeader & { readonly bytes: Uint8Array })[] = [];
  #dataEnd = HEADER_SIZE + MAX_SEGMENTS * PROGRAM_HEADER_SIZE;
  #end = 0;

  constructor(machine: number) {
    this.#machine = machine;
    // The largest page that a kernel of the architecture may use.
    this.#pageSize = machine === Elf.EM_AARCH64 ? 0x10000 : 0x1000;
  }

  /** Adds read-only bytes; gives their address. Only before the first segment. */
  addData(bytes: Uint8Array, align = 16): number {
    if (this.#segments.length > 0) throw new Error("data comes before segments");
    const at = roundUp(this.#dataEnd, align);
    this.#data.push({ at, bytes });
    this.#dataEnd = at + bytes.length;
    return at;
  }

  /** Adds the loadable segments of `elf`; gives the base that its addresses count from. */
  addSegments(elf: ElfFile): number {
    const base = roundUp(Math.max(this.#end, this.#dataEnd), LARGE_PAGE);
    for (const header of elf.headers.filter((header) => header.type === Elf.PT_LOAD)) {
      this.#segments.push(this.#wholePages(elf, header, base));
    }
    const last = this.#segments.at(-1);
    if (last === undefined) throw new Error("an ELF file without a segment");
    this.#end = Number(last.address) + last.memorySize;
    return base;
  }

  /**
   * A segment from a page's first byte to a page's last, zeroes filled in: kernels differ in how
   * they clear the page that a segment's data shares with its zeroed memory, unless it is the last.
   */
  #wholePages(elf: ElfFile, header: ProgramHeader, base: number) {
    const start = roundDown(Number(header.address), this.#pageSize);
    const head = Number(header.address) - start;
    const memorySize = head + header.memorySize;
    const bytes = new Uint8Array(
      header.fileSize === 0 ? 0 : roundUp(head + header.fileSize, this.#pageSize),
    );
    bytes.set(elf.bytes.subarray(header.offset, header.offset + header.fileSize), head);
    return {
      ...header,
      address: BigInt(base + start),
      fileSize: bytes.length,
      memorySize: Math.max(memorySize, bytes.length),
      align: this.#pageSize,
      bytes,
    };
  }

  /** Overwrites the initial contents at `address`, within one segment. */
  patch(address: number, bytes: Uint8Array): void {
    const segment = this.#segments.find((segment) => {
      const start = Number(segment.address);
      return start <= address && address + bytes.length <= start + segment.fileSize;
    });
    if (segment === undefined) throw new Error(`no segment holds the address ${address}`);
    segment.bytes.set(bytes, address - Number(segment.address));
  }

  /** The finished file; `trailer` comes last, where a program finds it from the file's end. */
  build(entry: number, trailer: Uint8Array): Uint8Array {
    let offset = roundUp(this.#dataEnd, this.#pageSize);
    const placed = this.#segments.map((segment) => {
      // As far into a large page in the file as in memory.
      const at = offset + modulo(Number(segment.address) - offset, LARGE_PAGE);
      offset = at + segment.fileSize;
      return { ...segment, offset: at };
    });
    const data: ProgramHeader = {
      type: Elf.PT_LOAD,
      flags: Elf.PF_R,
      offset: 0,
      address: 0n,
      fileSize: this.#dataEnd,
      memorySize: this.#dataEnd,
      align: this.#pageSize,
    };
    const stack: ProgramHeader = {
      ...data,
      type: Elf.PT_GNU_STACK,
      flags: Elf.PF_R | Elf.PF_W,
      fileSize: 0,
      memorySize: 0,
      align: 16,
    };
    const headers = [data, ...placed, stack];
    if (headers.length > MAX_SEGMENTS) throw new Error(`${headers.length} segments are too many`);

    const file = new Uint8Array(offset + trailer.length);
    file.set(this.#fileHeader(entry, headers.length));
    file.set(encodeProgramHeaders(headers), HEADER_SIZE);
    for (const piece of this.#data) file.set(piece.bytes, piece.at);
    for (const segment of placed) file.set(segment.bytes, segment.offset);
    file.set(trailer, offset);
    return file;
  }

  #fileHeader(entry: number, headers: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(HEADER_SIZE));
    view.setUint32(0, 0x7f454c46);
    view.setUint32(4, 0x02010100); // 64-bit, little-endian, version 1, System V
    view.setUint16(16, Elf.ET_DYN, true);
    view.setUint16(18, this.#machine, true);
    view.setUint32(20, 1, true);
    view.setBigUint64(24, BigInt(entry), true);
    view.setBigUint64(32, BigInt(HEADER_SIZE), true);
    view.setUint16(52, HEADER_SIZE, true);
    view.setUint16(54, PROGRAM_HEADER_SIZE, true);
    view.setUint16(56, headers, true);
    return new Uint8Array(view.buffer);
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function roundDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}

function modulo(value: number, unit: number): number {
  return ((value % unit) + unit) % unit;
}
