/**
 * The due times of requests in an open loop, which are computed before the first is sent. Pure functions.
 *
 * @module
 */
import { exponential, seeded } from './random.ts';

/** Traffic of independent clients: gaps between requests are exponentially distributed. */
export interface Poisson {
  readonly kind: 'poisson';
}

/** Poisson traffic whose rate alternates: `high` times the mean for half a period, then the rest. */
export interface Bursts {
  readonly kind: 'bursts';
  readonly periodMs: number;
  /** From 1 (no bursts) to 2 (silence in between). */
  readonly high: number;
}

export type Traffic = Poisson | Bursts;

/**
 * Due times in milliseconds from the start, ascending, all below `milliseconds`.
 *
 * @param perSecond Mean rate.
 * @param seed The same seed gives the same traffic.
 */
export function schedule(
  traffic: Traffic,
  perSecond: number,
  milliseconds: number,
  seed: number,
): Float64Array {
  const gap = exponential(seeded(seed));
  const due: number[] = [];
  // A unit Poisson process, transformed by the inverse of the traffic's cumulative rate.
  for (let sum = gap(); ; sum += gap()) {
    const even = (sum * 1000) / perSecond;
    const at = traffic.kind === 'poisson' ? even : bend(even, traffic);
    if (at >= milliseconds) return Float64Array.from(due);
    due.push(at);
  }
}

/** The time by which bursty traffic has as many requests as even traffic by `even`. */
function bend(even: number, { periodMs, high }: Bursts): number {
  const periods = Math.floor(even / periodMs);
  const rest = even - periods * periodMs;
  const inBurst = (high * periodMs) / 2;
  const within = rest <= inBurst ? rest / high : periodMs / 2 + (rest - inBurst) / (2 - high);
  return periods * periodMs + within;
}
