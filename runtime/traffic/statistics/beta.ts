/** @module The beta distribution, on which the tests of proportions, quantiles and means rest. */

/** The natural logarithm of the gamma function, for x > 0: Stirling's series, for small x after a shift. */
function logGamma(x: number): number {
  let shift = 0;
  let shifted = x;
  for (; shifted < 12; shifted += 1) shift += Math.log(shifted);
  const square = 1 / (shifted * shifted);
  const series =
    (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) /
    shifted;
  return (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series - shift;
}

const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);

/** The density of the beta distribution at 0 < x < 1. */
export function betaDensity(x: number, a: number, b: number): number {
  return Math.exp((a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x) - logBeta(a, b));
}

/**
 * The probability that a beta variable is at most x: the regularized incomplete beta function, by its continued fraction
 * (Abramowitz and Stegun 26.5.8).
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; above it the other tail is computed.
  if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  return front / fraction(x, a, b);
}

const TINY = 1e-300;
const CONVERGED = 1e-14;

/** 1 + d1 / (1 + d2 / (1 + …)), by Lentz's method. It takes about the square root of the larger parameter in terms. */
function fraction(x: number, a: number, b: number): number {
  let value = 1;
  let numerator = 1;
  let denominator = 0;
  for (let term = 1; ; term += 1) {
    const m = term >> 1;
    const d =
      term % 2 === 0
        ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
        : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    denominator = 1 / (1 + d * denominator || TINY);
    numerator = 1 + d / numerator || TINY;
    const change = numerator * denominator;
    value *= change;
    if (Math.abs(change - 1) < CONVERGED) return value;
  }
}
