/** @module The clock as a dependency, which tests can replace. */

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
}

export const systemClock: Clock = performance;
