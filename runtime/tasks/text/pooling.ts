/** @module Vectors of tokens become one vector; as sentence-transformers' Pooling. */

import type { ShortTurns } from '../../short-turns.ts';
import type { PoolingMode } from '../../text/text-model.ts';

/** The vectors of the tokens of a text, one after the other. */
export interface TokenVectors {
  readonly data: Float32Array;
  readonly size: number;
  /** Those that count: from the first to before the last, at least one. Weights of `weightedmean` are counted from 0 on. */
  readonly from: number;
  readonly to: number;
}

/** Numbers that are read without a look at the time. */
const STEP = 262_144;

/** The vectors of all modes, one after the other. */
export async function pool(
  tokens: TokenVectors,
  modes: readonly PoolingMode[],
  turns: Pick<ShortTurns, 'pause'>,
): Promise<Float64Array> {
  const { size } = tokens;
  const vector = new Float64Array(size * modes.length);
  for (const [i, mode] of modes.entries()) {
    await poolInto(vector.subarray(i * size, (i + 1) * size), tokens, mode, turns);
  }
  return vector;
}

async function poolInto(
  vector: Float64Array,
  tokens: TokenVectors,
  mode: PoolingMode,
  turns: Pick<ShortTurns, 'pause'>,
): Promise<void> {
  const { data, size, from, to } = tokens;
  switch (mode) {
    case 'cls':
      vector.set(data.subarray(from * size, (from + 1) * size));
      return;
    case 'last':
      vector.set(data.subarray((to - 1) * size, to * size));
      return;
    case 'max':
      vector.fill(Number.NEGATIVE_INFINITY);
      return eachToken(tokens, turns, (start) => {
        for (let i = 0; i < size; i += 1) vector[i] = Math.max(vector[i]!, data[start + i]!);
      });
    case 'mean':
      return weighted(vector, tokens, () => 1, to - from, turns);
    case 'mean_sqrt_len_tokens':
      return weighted(vector, tokens, () => 1, Math.sqrt(to - from), turns);
    case 'weightedmean': {
      // The sum of from + 1, …, to.
      const sum = ((to - from) * (from + 1 + to)) / 2;
      return weighted(vector, tokens, (token) => token + 1, sum, turns);
    }
  }
}

async function weighted(
  vector: Float64Array,
  tokens: TokenVectors,
  weightOf: (token: number) => number,
  divisor: number,
  turns: Pick<ShortTurns, 'pause'>,
): Promise<void> {
  const { data, size } = tokens;
  await eachToken(tokens, turns, (start, token) => {
    const weight = weightOf(token);
    for (let i = 0; i < size; i += 1) vector[i]! += data[start + i]! * weight;
  });
  for (let i = 0; i < size; i += 1) vector[i]! /= divisor;
}

/** Calls `visit` with the place of the first number of each token that counts, and with the token. */
async function eachToken(
  { size, from, to }: TokenVectors,
  turns: Pick<ShortTurns, 'pause'>,
  visit: (start: number, token: number) => void,
): Promise<void> {
  const step = Math.max(Math.floor(STEP / size), 1);
  for (let first = from; first < to; first += step) {
    const end = Math.min(first + step, to);
    for (let token = first; token < end; token += 1) visit(token * size, token);
    await turns.pause();
  }
}
