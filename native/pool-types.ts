/** @module How an output is pooled. */

/** A way to make one vector of the vectors of tokens, with its name in sentence-transformers (`last` is its `lasttoken`). */
export type PoolMode = 'cls' | 'last' | 'max' | 'mean' | 'mean_sqrt_len_tokens' | 'weightedmean';

/** How the vectors of the tokens of each row become one. */
export interface PoolOptions {
  /** The name of an output of float32, float16 or bfloat16 [rows, tokens, size]. */
  readonly output: string;
  /** The vectors of several modes follow one another. */
  readonly modes: readonly PoolMode[];
  /**
   * The tokens that count, two numbers for each row: the first of them, and the one after the last. The weights of
   * `weightedmean` are counted from token 0 on.
   */
  readonly tokens: Int32Array;
}
