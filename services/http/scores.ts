/** @module How scores are written. */

const DECIMALS = 1e6;
/** Significant digits of a float32. */
const DIGITS = 7;

/**
 * A score as responses have it: of a probability or a cosine six decimals, as `/predict` writes confidences, and of other values, such as
 * those of a regression, the digits that a float32 has.
 */
export const roundScore = (score: number): number =>
  Math.abs(score) <= 1
    ? Math.round(score * DECIMALS) / DECIMALS
    : Number(score.toPrecision(DIGITS));

/** The same with its score as responses have it. */
export const withRoundedScore = <Scored extends { readonly score: number }>(
  scored: Scored,
): Scored => ({
  ...scored,
  score: roundScore(scored.score),
});
