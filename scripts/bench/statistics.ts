import { type Contender, FIRST_PRODUCT, FLOOR, RUNNER } from "./contenders.ts";
import type { BenchImage } from "./images.ts";
import type { Cost } from "./measure.ts";

/** One contender's runs on one image. */
export interface Measured {
  readonly contender: Contender;
  readonly costs: readonly Cost[];
}

/** What is reported of them: milliseconds and bytes. */
export interface Line {
  readonly name: string;
  readonly wall: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly cpu: number;
  /** Of all runs. */
  readonly peak: number;
  /** This contender's time in those of others; undefined where the other did not run. */
  readonly ofFirstProduct: number | undefined;
  readonly ofFloor: number | undefined;
}

export interface ImageResult {
  readonly image: string;
  readonly layers: number;
  readonly entries: number;
  /** Entries that overlay mode extracts. */
  readonly extracted: number;
  readonly compressed: number;
  readonly unpacked: number;
  readonly runs: number;
  /** The fastest of the floor's variants. */
  readonly floor: string | undefined;
  readonly lines: readonly Line[];
}

export function summarise(image: BenchImage, measured: readonly Measured[]): ImageResult {
  const wallOf = ({ costs }: Measured) => median(costs.map(({ wall }) => wall));
  const floors = measured.filter(({ contender }) => contender.name.startsWith(FLOOR))
    .sort((a, b) => wallOf(a) - wallOf(b));
  const first = measured.find(({ contender }) => contender.name === FIRST_PRODUCT);
  // Runs of one round stand side by side, so that a ratio is of what the machine was like then.
  const ratio = (of: Measured, to: Measured | undefined) =>
    to === undefined || to === of
      ? undefined
      : median(of.costs.map(({ wall }, i) => wall / to.costs[i]!.wall));
  return {
    image: image.name,
    layers: image.layers.length,
    entries: image.entries,
    extracted: image.expected.size,
    compressed: image.layers.reduce((sum, { size }) => sum + size, 0),
    unpacked: image.unpacked,
    runs: measured[0]?.costs.length ?? 0,
    floor: floors[0]?.contender.name,
    lines: measured.map((of) => {
      const walls = of.costs.map(({ wall }) => wall);
      const isRunner = of.contender.name === RUNNER;
      return {
        name: of.contender.name,
        wall: wallOf(of),
        fastest: Math.min(...walls),
        slowest: Math.max(...walls),
        cpu: median(of.costs.map(({ cpu }) => cpu)),
        peak: Math.max(...of.costs.map(({ peak }) => peak)),
        ofFirstProduct: isRunner ? ratio(of, first) : undefined,
        ofFloor: isRunner ? ratio(of, floors[0]) : undefined,
      };
    }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle]!;
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
}
