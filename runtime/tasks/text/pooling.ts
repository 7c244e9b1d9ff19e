/** @module Vectors of tokens become one vector; as sentence-transformers' Pooling. */

import type { PoolingMode } from '../../text/text-model.ts';

/** The vectors of the tokens of a text, one after the other. */
export interface TokenVectors {
  readonly data: Float32Array;
  readonly size: number;
  /** Those that count: from the first to before the last. Weights of `weightedmean` are counted from 0 on all the same. */
  readonly from: number;
  readonly to: number;
}

/** The vectors of all modes, one after the other. */
export function pool(tokens: TokenVectors, modes: readonly PoolingMode[]): Float64Array {
  const { size } = tokens;
  const vector = new Float64Array(size * modes.length);
  modes.forEach((mode, i) => {
    poolInto(vector.subarray(i * size, (i + 1) * size), tokens, mode);
  });
  return vector;
}

function poolInto(vector: Float64Array, tokens: TokenVectors, mode: PoolingMode): void {
  const { data, size, from, to } = tokens;
  switch (mode) {
    case 'cls':
      vector.set(data.subarray(from * size, (from + 1) * size));
      break;
    case 'last':
      vector.set(data.subarray((to - 1) * size, to * size));
      break;
    case 'max':
      maximum(vector, tokens);
      break;
    case 'mean':
      weighted(vector, tokens, () => 1, to - from);
      break;
    case 'mean_sqrt_len_tokens':
      weighted(vector, tokens, () => 1, Math.sqrt(to - from));
      break;
    case 'weightedmean': {
      // The sum of from + 1, …, to.
      const sum = ((to - from) * (from + 1 + to)) / 2;
      weighted(vector, tokens, (token) => token + 1, sum);
    }
  }
}

function weighted(
  vector: Float64Array,
  { data, size, from, to }: TokenVectors,
  weightOf: (token: number) => number,
  divisor: number,
): void {
  for (let token = from; token < to; token += 1) {
    const weight = weightOf(token);
    const start = token * size;
    for (let i = 0; i < size; i += 1) vector[i]! += data[start + i]! * weight;
  }
  for (let i = 0; i < size; i += 1) vector[i]! /= Math.max(divisor, 1e-9);
}

function maximum(vector: Float64Array, { data, size, from, to }: TokenVectors): void {
  vector.fill(Number.NEGATIVE_INFINITY);
  for (let token = from; token < to; token += 1) {
    const start = token * size;
    for (let i = 0; i < size; i += 1) vector[i] = Math.max(vector[i]!, data[start + i]!);
  }
}
