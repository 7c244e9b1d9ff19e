/** @module Finds where a function is zero. */

const PRECISION = 1e-9;

/**
 * The zero of a monotonic function between two points, to a precision of 1e-9 of their distance: regula falsi with the
 * Illinois correction, which needs about ten values. If the function has the same sign at both, the nearer end is returned.
 */
export function root(of: (x: number) => number, from: number, to: number): number {
  let [a, b] = [from, to];
  let [atA, atB] = [of(a), of(b)];
  if (atA * atB > 0) return Math.abs(atA) < Math.abs(atB) ? a : b;
  while (Math.abs(b - a) > PRECISION * Math.abs(to - from) && atB !== 0) {
    const x = b - (atB * (b - a)) / (atB - atA);
    const atX = of(x);
    if (atX * atB < 0) [a, atA] = [b, atB];
    else atA /= 2;
    [b, atB] = [x, atX];
  }
  return b;
}
