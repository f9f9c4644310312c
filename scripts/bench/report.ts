import { CONTENDERS } from "./contenders.ts";
import type { Machine } from "./machine.ts";
import type { ImageResult } from "./statistics.ts";

/** Everything one benchmark found; what `--json` writes. */
export interface Report {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly scale: number;
  /** What was measured as the runner. */
  readonly runner: string;
  readonly registry: string;
  readonly machine: Machine;
  readonly results: readonly ImageResult[];
  /** Contenders that could not run, and the programs they lack. */
  readonly leftOut: Readonly<Record<string, readonly string[]>>;
}

/** The report as Markdown, which reads as well in a terminal. */
export function toMarkdown(report: Report): string {
  const { machine } = report;
  const programs = Object.entries(machine.programs).map(([name, version]) => `${name} ${version}`);
  const parts = [
    `${report.date}, ${machine.cores} cores (${machine.processor}), ${gigabytes(machine.memory)} ` +
    `of memory, Linux ${machine.kernel}, ${machine.fileSystem}; images from ${report.registry}; ` +
    `the runner is ${report.runner}; ${programs.join(", ")}.`,
    ...report.results.map(section),
  ];
  for (const [name, programs] of Object.entries(report.leftOut)) {
    parts.push(`Left out: ${name}, since this machine has no ${programs.join(" and no ")}.`);
  }
  const shown = new Set(report.results.flatMap(({ lines }) => lines.map(({ name }) => name)));
  const legend = CONTENDERS.filter(({ name }) => shown.has(name));
  parts.push(legend.map(({ name, about }) => `- ${name}: ${about}`).join("\n"));
  return parts.join("\n\n") + "\n";
}

const HEAD = ["", "median", "fastest-slowest", "processor", "peak", "of first product", "of floor"];

function section(result: ImageResult): string {
  const rows = result.lines.map((line) => [
    line.name,
    milliseconds(line.wall),
    `${line.fastest.toFixed(0)}-${line.slowest.toFixed(0)}`,
    milliseconds(line.cpu),
    megabytes(line.peak),
    line.ofFirstProduct?.toFixed(2) ?? "",
    line.ofFloor?.toFixed(2) ?? "",
  ]);
  const floor = result.floor === undefined ? "" : ` The floor is "${result.floor}".`;
  return `### ${result.image}\n\n` +
    `${count(result.layers, "layer")}, ${count(result.entries, "entry", "entries")} ` +
    `(${result.extracted} extracted), ${megabytes(result.compressed)}, unpacked ` +
    `${megabytes(result.unpacked)}; ${count(result.runs, "run")} each.${floor}\n\n` +
    table([HEAD, ...rows]);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(
        " | ",
      )
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  const [head, ...body] = rows;
  return [line(head!), line(rule), ...body.map(line)].join("\n");
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(0)} GB`;
}
