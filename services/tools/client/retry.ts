/**
 * When to ask again. The budget is that of gRPC's retry throttling (proposal A6): every failure costs a
 * token, every success gives a part of one back, and with half of them gone nothing is retried, so that
 * clients do not keep an overloaded server overloaded.
 *
 * @module
 */

import { InferenceError } from './contract.ts';

export interface RetryOptions {
  /** Most times a request is sent. Default: 3. */
  readonly attempts?: number;
  /** Wait before the second attempt, milliseconds; it doubles each time and is drawn at random. Default: 50. */
  readonly backoffMs?: number;
}

const MAX_TOKENS = 10;
const TOKEN_RATIO = 0.1;

/** One client's tokens. */
export class RetryBudget {
  #tokens = MAX_TOKENS;

  get allows(): boolean {
    return this.#tokens > MAX_TOKENS / 2;
  }

  success(): void {
    this.#tokens = Math.min(this.#tokens + TOKEN_RATIO, MAX_TOKENS);
  }

  failure(): void {
    this.#tokens = Math.max(this.#tokens - 1, 0);
  }
}

const RETRIABLE: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'OVERLOADED',
  'DRAINING',
  'MODEL_NOT_READY',
]);

/** What the passing of time is to this module, which tests replace. */
export interface Waiting {
  random(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** @throws {InferenceError} of the last attempt. */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { attempts = 3, backoffMs = 50 }: RetryOptions,
  budget: RetryBudget,
  signal: AbortSignal,
  waiting: Waiting,
): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      const result = await attempt();
      budget.success();
      return result;
    } catch (error) {
      if (!(error instanceof InferenceError) || !RETRIABLE.has(error.code)) throw error;
      budget.failure();
      if (made >= attempts || !budget.allows || signal.aborted) throw error;
      const backoff = waiting.random() * backoffMs * 2 ** (made - 1);
      await waiting.sleep(Math.max(backoff, error.retryAfterMs ?? 0), signal);
      if (signal.aborted) throw error;
    }
  }
}
