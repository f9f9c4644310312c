import type { Facts } from "./facts.ts";

/** What an ELF program needs of the system to start. */
export interface Elf {
  /** `e_machine` and class as a name: `x86-64`, `arm64`, or the number. */
  readonly machine: string;
  /** The dynamic loader; undefined for a static program. */
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  /** DT_RUNPATH or DT_RPATH, `$ORIGIN` as it is. */
  readonly searchPath: readonly string[];
}

const MACHINES: Readonly<Record<number, string>> = {
  3: "x86 (32-bit)",
  40: "arm (32-bit)",
  62: "x86-64",
  183: "arm64",
  243: "riscv64",
  21: "ppc64le",
  22: "s390x",
};

const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const PT = { load: 1, dynamic: 2, interp: 3 } as const;
const DT = { end: 0, needed: 1, strtab: 5, rpath: 15, runpath: 29 } as const;

/** No honest program comes near these; a hostile one may claim anything. */
const MAX_PROGRAM_HEADERS = 256;
const MAX_DYNAMIC_SIZE = 64 * 1024;
const MAX_NAME = 4096;

/**
 * Reads the headers of a 64-bit little-endian ELF file; of others, the machine alone.
 *
 * @returns undefined for what is not ELF
 */
export function elfOf(file: string, facts: Facts): Elf | undefined {
  const head = facts.read(file, HEADER_SIZE);
  if (head === undefined || head.length < 20) return undefined;
  if (head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) {
    return undefined;
  }
  const is64 = head[4] === 2;
  const little = head[5] === 1;
  const view = new DataView(head.buffer, 0, head.length);
  const number = view.getUint16(18, little);
  const machine = MACHINES[number] ?? `ELF machine ${number}`;
  const none = { machine, interpreter: undefined, needed: [], searchPath: [] };
  if (!is64 || !little || head.length < HEADER_SIZE) return none;

  const count = Math.min(view.getUint16(56, true), MAX_PROGRAM_HEADERS);
  const table = facts.read(file, count * PROGRAM_HEADER_SIZE, Number(view.getBigUint64(32, true)));
  if (table === undefined) return none;
  const segments = segmentsOf(table);
  const interp = segments.find(({ type }) => type === PT.interp);
  const dynamic = segments.find(({ type }) => type === PT.dynamic);
  return {
    ...none,
    interpreter: interp === undefined ? undefined : stringAt(file, interp.offset, facts),
    ...(dynamic === undefined ? {} : readDynamic(file, dynamic, segments, facts)),
  };
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function segmentsOf(table: Uint8Array<ArrayBuffer>): Segment[] {
  const view = new DataView(table.buffer, 0, table.length);
  const segments: Segment[] = [];
  for (let at = 0; at + PROGRAM_HEADER_SIZE <= table.length; at += PROGRAM_HEADER_SIZE) {
    segments.push({
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: Number(view.getBigUint64(at + 16, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    });
  }
  return segments;
}

function readDynamic(file: string, dynamic: Segment, segments: readonly Segment[], facts: Facts) {
  const bytes = facts.read(file, Math.min(dynamic.size, MAX_DYNAMIC_SIZE), dynamic.offset);
  if (bytes === undefined) return {};
  const view = new DataView(bytes.buffer, 0, bytes.length);
  const entries: { tag: number; value: number }[] = [];
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const tag = Number(view.getBigUint64(at, true));
    if (tag === DT.end) break;
    entries.push({ tag, value: Number(view.getBigUint64(at + 8, true)) });
  }
  const table = entries.find(({ tag }) => tag === DT.strtab)?.value;
  const segment = segments.find(({ type, address, size }) =>
    type === PT.load && table !== undefined && table >= address && table < address + size
  );
  if (table === undefined || segment === undefined) return {};
  const strings = segment.offset + table - segment.address;
  const named = (wanted: number) =>
    entries.filter(({ tag }) => tag === wanted).map(({ value }) =>
      stringAt(file, strings + value, facts)
    );
  const runpath = named(DT.runpath);
  const searchPath = (runpath.length > 0 ? runpath : named(DT.rpath)).flatMap((text) =>
    text.split(":")
  );
  return { needed: named(DT.needed), searchPath };
}

function stringAt(file: string, offset: number, facts: Facts): string {
  const bytes = facts.read(file, MAX_NAME, offset) ?? new Uint8Array();
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end));
}
