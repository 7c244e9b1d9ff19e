/** @module The public contract of a run: its options, its results, and how an output is pooled. */

import type { PackedTensor, Tensor } from './tensor-types.ts';

/** How long the parts of a request took. Rows and requests are those of its batch. */
export interface Timings {
  /** From the submission to the start of the run, milliseconds. */
  readonly queueMs: number;
  /** The run, milliseconds. */
  readonly computeMs: number;
  readonly batchRows: number;
  readonly batchRequests: number;
}

export interface RunResult {
  /** The outputs by name: all of them, or those of `RunOptions.outputs`. */
  readonly outputs: Record<string, Tensor>;
  /** With `packStrings`, the outputs of strings, which are then not in `outputs`. */
  readonly packedStrings?: Readonly<Record<string, PackedTensor>>;
  readonly timings: Timings;
}

/** The part of an `AbortSignal` that a run uses, so that a caller can pass a lighter object. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

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

export interface RunOptions {
  /** The time allowed, milliseconds. When it has passed, the promise rejects with `DEADLINE_EXCEEDED`. */
  timeoutMs?: number;
  /** Aborting it rejects the promise with the signal's reason, and drops the request if it is not in a batch yet. */
  signal?: CancelSignal;
  /** 0 (default) is the most urgent level, 255 the least. */
  priority?: number;
  /** The names of the requested outputs. Default: all. */
  outputs?: readonly string[];
  /**
   * Pools an output on the instance that computes it, so that a small part of it has to be copied to JavaScript. The
   * result then has this output alone, as float32 [rows, modes × size], and `outputs` must be left out.
   */
  pool?: PoolOptions;
  /**
   * Return outputs of strings as bytes in `packedStrings`. Without it a run rejects with `INVALID_ARGUMENT` if a
   * string of its outputs is not UTF-8. Default: false.
   */
  packStrings?: boolean;
  /**
   * Do not copy large inputs (64 KiB and more). With `true` their `ArrayBuffer`s are detached at once, as with
   * `structuredClone(…, { transfer })`. With `lend` they are detached when they have been read, or not at all
   * where the runtime cannot detach without a copy; until then nobody may write to them, not even if the
   * request is aborted. `lend` is cheaper, because a garbage collector counts memory anew for each new owner.
   * Default: false.
   */
  transfer?: boolean | 'lend';
}
