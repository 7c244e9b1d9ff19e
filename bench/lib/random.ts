/** @module Pseudo-random numbers, which are the same in every run. */

/** Uniform numbers in [0, 1) from a linear congruential sequence. @param seed Any whole number. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Exponentially distributed numbers with a mean of 1. */
export function exponential(uniform: () => number): () => number {
  return () => -Math.log(1 - uniform());
}
