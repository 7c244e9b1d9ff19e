/** @module The option `pool` of a run: its check, and the form in which the addon takes it. */

import { quote } from './quote.ts';
import type { PoolMode, PoolOptions } from './run-types.ts';
import type { TensorSpec } from './types.ts';

/** The numbers of the enum `PoolMode` in batching/pooling.h. */
const POOL_MODES: Readonly<Record<PoolMode, number>> = {
  cls: 0,
  last: 1,
  max: 2,
  mean: 3,
  mean_sqrt_len_tokens: 4,
  weightedmean: 5,
};

/** Returns what is wrong, or undefined. The addon checks the tokens, because only the run tells how many there are. */
export function checkPool(pool: PoolOptions, outputs: readonly TensorSpec[]): string | undefined {
  if (typeof pool !== 'object' || pool === null) {
    return `pool is ${pool}: expected an object with output, modes and tokens`;
  }
  const { output, modes, tokens } = pool;
  if (!outputs.some(({ name }) => name === output)) {
    const known = outputs.map(({ name }) => quote(name)).join(', ');
    return `pool.output is ${quote(String(output))}: expected one of the outputs ${known}`;
  }
  const names = Object.keys(POOL_MODES);
  const most = names.length;
  if (!Array.isArray(modes) || modes.length === 0 || modes.length > most) {
    return `pool.modes is ${modes}: expected a list of 1 to ${most} of ${names.join(', ')}`;
  }
  const unknown = modes.find((mode) => !Object.hasOwn(POOL_MODES, mode));
  if (unknown !== undefined) {
    return `pool.modes has ${quote(String(unknown))}: expected ${names.join(', ')}`;
  }
  return tokens instanceof Int32Array
    ? undefined
    : 'pool.tokens is not an Int32Array: expected one with two numbers for each row';
}

/**
 * The option for the rows of a request from `first` to before `end`. Pairs for rows that the request does not have go to its last
 * part, whose run refuses them, and one without tokens stays as it is, and is refused, too.
 */
export function poolOfRows(pool: PoolOptions, first: number, end: number, rows: number) {
  const { tokens } = pool;
  if (!(tokens instanceof Int32Array)) return pool;
  return { ...pool, tokens: tokens.subarray(2 * first, end < rows ? 2 * end : tokens.length) };
}

/** What `submit` gets after the inputs. */
export function poolingWords(
  { output, modes, tokens }: PoolOptions,
  outputs: readonly TensorSpec[],
): Int32Array {
  const words = new Int32Array(2 + modes.length + tokens.length);
  words[0] = outputs.findIndex(({ name }) => name === output);
  words[1] = modes.length;
  words.set(
    modes.map((mode) => POOL_MODES[mode]),
    2,
  );
  words.set(tokens, 2 + modes.length);
  return words;
}
