/** @module The policies and loads of the policy suite, as data. */
import type { BatchingOptions } from '../../../native/index.ts';

/** The policies for when an incomplete batch runs. */
export const policies: Readonly<Record<string, BatchingOptions>> = {
  /** Ours: at once, unless clients are expected to return soon. */
  excess: { policy: 'excess' },
  /** Always at once, as Triton with a delay of 0. */
  busy: { policy: 'busy' },
  /** After a delay from the oldest request, as Triton and TensorFlow Serving. */
  'timer 1 ms': { policy: 'timer', maxDelayMs: 1 },
  'timer 5 ms': { policy: 'timer', maxDelayMs: 5 },
};

/** A number of clients, each of which sends its next request one round trip after its response. */
interface Closed {
  readonly name: string;
  readonly clients: number;
}

/** Poisson traffic at a share of the rate that plain batching while busy reaches with `of` clients. */
interface Open {
  readonly name: string;
  readonly share: number;
}

export type PolicyLoad = Closed | Open;

const closed = (clients: number): Closed => ({ name: `C=${clients}`, clients });
const open = (share: number): Open => ({ name: `Poisson ${share}`, share });

/** The load whose throughput under `busy` counts as the capacity; it comes before the open ones. */
export const CAPACITY = closed(64);

export const loads: readonly PolicyLoad[] = [
  ...[1, 2, 4, 8, 16].map(closed),
  CAPACITY,
  ...[0.3, 0.7].map(open),
];

/**
 * The time between a response and the client's next request, milliseconds: a network of 0.1 ms. Its
 * jitter is exponential, so that clients do not return in one turn of the event loop.
 */
export const ROUND_TRIP = { ms: 0.08, jitterMs: 0.02 } as const;
