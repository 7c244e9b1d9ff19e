/**
 * Chooses the sentences that say most of a text: those closest to its centre, without repetitions. The choice is that of
 * maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) with the centroid of the sentences as the query.
 *
 * @module
 */

import { ShortTurns } from '../../short-turns.ts';
import { dot } from './dot.ts';

/** What closeness to the centre weighs against being different from the sentences that are chosen already. */
const RELEVANCE = 0.7;
/** Sentences of a higher cosine say the same, so that only the first of them is chosen. */
const SAME = 0.9;

/** A chosen sentence. */
export interface Central {
  readonly index: number;
  /** The cosine of the sentence and the centroid of all. */
  readonly score: number;
}

/**
 * @param vectors One for each sentence, of equal dimensions and of length 1.
 * @param count How many sentences to choose; there are fewer if the others say the same as those.
 * @returns the chosen sentences in the order of the text.
 */
export async function centralSentences(
  vectors: readonly Float32Array[],
  count: number,
): Promise<readonly Central[]> {
  const turns = new ShortTurns();
  const centre = centroid(vectors);
  const scores = vectors.map((vector) => dot(vector, centre));
  /** The highest cosine with a chosen sentence. */
  const nearest = new Float64Array(vectors.length).fill(-1);
  const chosen = new Set<number>();
  while (chosen.size < count) {
    const next = best(scores, nearest, chosen);
    if (next === undefined) break;
    chosen.add(next);
    for (let i = 0; i < vectors.length; i += 1) {
      nearest[i] = Math.max(nearest[i]!, dot(vectors[i]!, vectors[next]!));
      if (i % 256 === 0) await turns.pause();
    }
  }
  return [...chosen].sort((a, b) => a - b).map((index) => ({ index, score: scores[index]! }));
}

function best(
  scores: readonly number[],
  nearest: Float64Array,
  chosen: ReadonlySet<number>,
): number | undefined {
  let found: number | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i += 1) {
    if (chosen.has(i) || nearest[i]! > SAME) continue;
    const redundancy = chosen.size === 0 ? 0 : nearest[i]!;
    const value = RELEVANCE * scores[i]! - (1 - RELEVANCE) * redundancy;
    if (value > highest) {
      highest = value;
      found = i;
    }
  }
  return found;
}

/** The mean of the vectors, of length 1. */
function centroid(vectors: readonly Float32Array[]): Float32Array {
  const centre = new Float32Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) {
    for (let i = 0; i < centre.length; i += 1) centre[i]! += vector[i]!;
  }
  const length = Math.sqrt(dot(centre, centre));
  return length > 0 ? centre.map((value) => value / length) : centre;
}
