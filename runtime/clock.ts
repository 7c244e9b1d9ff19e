/** @module Time as a dependency, so that tests can own it. */

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
}

export const systemClock: Clock = performance;
