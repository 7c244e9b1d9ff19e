/** @module The checks of the samples that a soak has taken. */
import type { Tally } from './load.ts';

/** A sample, which is taken once a second. Requests and CPU time are counted from the start. */
export interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly requests: number;
  /** Bytes, after a garbage collection, without free memory that the C library keeps. */
  readonly rss: number;
}

export interface Report {
  readonly samples: readonly Sample[];
  readonly tally: Tally;
  /** Models loaded and closed beside the lasting ones. */
  readonly loads: number;
  readonly workers: number;
  /** Names of the models whose counters do not add up at rest. */
  readonly unbalanced: readonly string[];
  readonly submitted: number;
  readonly kept: number;
}

export interface Limits {
  /** The share of the samples, from the first one on, that are warm-up. */
  readonly warmUp: number;
  /** Maximum growth of memory from the warm-up to the end, bytes, by the slope of all samples between. */
  readonly growth: number;
  /** Maximum memory at the end, as a multiple of that after the warm-up. */
  readonly ratio: number;
  /** Minimum requests per CPU second in the last tenth, as a multiple of those in the first after the warm-up. */
  readonly pace: number;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Bytes per second, by Theil and Sen: the median of all slopes, which a few odd samples do not move. */
function slopeOf(samples: readonly Sample[]): number {
  const slopes = samples.flatMap((a, index) =>
    samples.slice(index + 1).map((b) => (b.rss - a.rss) / (b.seconds - a.seconds)),
  );
  return median(slopes);
}

/**
 * Requests per second of CPU time in the better samples. Unlike requests per second, this number does not depend on
 * other work of the machine, except through shared caches.
 */
function paceOf(samples: readonly Sample[]): number {
  const paces = samples.slice(1).map((sample, index) => {
    const before = samples[index]!;
    return (sample.requests - before.requests) / (sample.cpuSeconds - before.cpuSeconds);
  });
  return [...paces].sort((a, b) => b - a)[Math.floor(paces.length / 4)] ?? 0;
}

export interface Measured {
  readonly growth: number;
  readonly ratio: number;
  readonly pace: number;
}

export function measure({ samples }: Report, { warmUp }: Limits): Measured {
  const warm = samples.slice(Math.floor(samples.length * warmUp));
  const part = Math.max(Math.floor(warm.length / 10), 4);
  const [first, last] = [warm.slice(0, part), warm.slice(-part)];
  const rss = (some: readonly Sample[]) => median(some.map((sample) => sample.rss));
  return {
    growth: slopeOf(warm) * (warm.at(-1)!.seconds - warm[0]!.seconds),
    ratio: rss(last) / rss(first),
    pace: paceOf(last) / paceOf(first),
  };
}

/** The problems, one sentence each. */
export function faultsOf(report: Report, limits: Limits): string[] {
  const { tally, unbalanced } = report;
  const { growth, ratio, pace } = measure(report, limits);
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const faults = [
    ...tally.wrong.map((what) => `a request ended wrongly: ${what}`),
    ...unbalanced.map((name) => `the counters of ${name} do not add up`),
  ];
  if (tally.started !== tally.fulfilled + tally.rejected) faults.push('a request was not settled');
  if (growth > limits.growth) faults.push(`memory grew by ${mib(growth)} MiB`);
  if (ratio > limits.ratio) faults.push(`memory is ${ratio.toFixed(3)} times that after warm-up`);
  if (pace < limits.pace) faults.push(`requests a CPU second fell to ${pace.toFixed(3)}`);
  return faults;
}
