/** @module The checks of what a soak has measured. */
import type { Tally } from './load.ts';

/** A sample, which is taken after each second of load, while nothing runs. */
export interface Sample {
  readonly seconds: number;
  /** Resident bytes of the runtime's own mappings, after a garbage collection. */
  readonly inside: number;
  /** Resident bytes of all other mappings, without free memory that the C library keeps. */
  readonly outside: number;
  /** Bytes that native code has allocated. */
  readonly nativeHeap: number;
  /** Bytes of JavaScript objects and what belongs to them. */
  readonly jsHeap: number;
}

export interface Report {
  readonly samples: readonly Sample[];
  readonly tally: Tally;
  /** Models loaded and closed beside the lasting ones. */
  readonly loads: number;
  readonly workers: number;
  /** Names of the models whose counters do not add up at rest. */
  readonly unbalanced: readonly string[];
}

/** Microseconds of CPU time that a process takes for one request, by kind. */
export type Costs = Readonly<Record<string, number>>;

/** Costs that two processes had in turns, so that whatever else the machine did affects both. */
export interface Turn {
  /** Of the process that has been under load for long. */
  readonly aged: Costs;
  /** Of one that has just been warmed up. */
  readonly fresh: Costs;
}

export interface Limits {
  /** The share of the samples, from the first one on, that are warm-up. */
  readonly warmUp: number;
  /** Maximum growth of resident memory from the warm-up to the end, bytes, by the slope of all samples between. */
  readonly growth: number;
  /** Maximum resident memory at the end, as a multiple of that after the warm-up, if the runtime's own did not grow. */
  readonly ratio: number;
  /** Maximum growth of the memory that native code has allocated, and of JavaScript objects, bytes. */
  readonly heap: number;
  /** Minimum pace of the mixed load in the aged process, as a multiple of the pace in a fresh one. */
  readonly pace: number;
  /** The same for each kind of request by itself. */
  readonly paceOfKind: number;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

type Point = readonly [x: number, y: number];

/** The slope of points in order of x by Theil and Sen: the median of all pairs', which a few odd points do not move. */
export function slopeOf(points: readonly Point[]): number {
  return median(
    points.flatMap(([x, y], index) =>
      points.slice(index + 1).map((other) => (other[1] - y) / (other[0] - x)),
    ),
  );
}

export interface Memory {
  readonly growth: number;
  readonly ratio: number;
  readonly nativeHeap: number;
  readonly jsHeap: number;
}

export function memoryOf({ samples }: Report, { warmUp }: Limits): Memory {
  const warm = samples.slice(Math.floor(samples.length * warmUp));
  const growth = (bytes: (sample: Sample) => number) =>
    slopeOf(warm.map((sample) => [sample.seconds, bytes(sample)])) *
    (warm.at(-1)!.seconds - warm[0]!.seconds);
  const part = Math.max(Math.floor(warm.length / 10), 4);
  const [first, last] = [warm.slice(0, part), warm.slice(-part)];
  const outsideOf = (some: readonly Sample[]) => median(some.map(({ outside }) => outside));
  return {
    growth: growth(({ inside, outside }) => inside + outside),
    ratio:
      1 +
      (outsideOf(last) - outsideOf(first)) /
        median(first.map(({ inside, outside }) => inside + outside)),
    nativeHeap: growth(({ nativeHeap }) => nativeHeap),
    jsHeap: growth(({ jsHeap }) => jsHeap),
  };
}

/**
 * How many requests the aged process makes with the same CPU time, as a multiple of the fresh one: for each kind, and
 * for requests in the proportion of `shares`.
 */
export function pacesOf(turns: readonly Turn[], shares: Readonly<Record<string, number>>) {
  const ratio = (cost: (costs: Costs) => number) =>
    median(turns.map(({ aged, fresh }) => cost(fresh) / cost(aged)));
  const mixed = (costs: Costs) =>
    Object.entries(shares).reduce((sum, [kind, share]) => sum + share * costs[kind]!, 0);
  const kinds = Object.keys(turns[0]!.aged);
  return {
    mixed: ratio(mixed),
    kinds: Object.fromEntries(kinds.map((kind) => [kind, ratio((costs) => costs[kind]!)])),
  };
}

export type Paces = ReturnType<typeof pacesOf>;

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** The problems of the memory, one sentence each. */
export function faultsOfMemory(memory: Memory, limits: Limits): string[] {
  const { growth, ratio, nativeHeap, jsHeap } = memory;
  const faults: string[] = [];
  if (growth > limits.growth) faults.push(`memory grew by ${mib(growth)} MiB`);
  if (ratio > limits.ratio) faults.push(`memory is ${ratio.toFixed(3)} times that after warm-up`);
  if (nativeHeap > limits.heap) faults.push(`native code keeps ${mib(nativeHeap)} MiB more`);
  if (jsHeap > limits.heap) faults.push(`JavaScript keeps ${mib(jsHeap)} MiB more`);
  return faults;
}

/** The problems of the pace, one sentence each. */
export function faultsOfPace({ mixed, kinds }: Paces, limits: Limits): string[] {
  const slow = Object.entries(kinds).filter(([, pace]) => pace < limits.paceOfKind);
  const faults = slow.map(([kind, pace]) => `the pace of '${kind}' fell to ${pace.toFixed(3)}`);
  if (mixed < limits.pace) faults.push(`the pace of the mixed load fell to ${mixed.toFixed(3)}`);
  return faults;
}

/** The requests that did not end as they had to, one sentence each. */
export function faultsOfRequests({ tally, unbalanced }: Report): string[] {
  const faults = [
    ...tally.wrong.map((what) => `a request ended wrongly: ${what}`),
    ...unbalanced.map((name) => `the counters of ${name} do not add up`),
  ];
  if (tally.started !== tally.fulfilled + tally.rejected) faults.push('a request was not settled');
  return faults;
}
