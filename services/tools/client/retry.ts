/**
 * Decides when to retry. The budget works as gRPC's retry throttling (proposal A6): every failure costs a
 * token, and every success returns a part of one. While half of the tokens are gone, nothing is retried, so
 * clients do not keep an overloaded server overloaded.
 *
 * @module
 */

import { InferenceError } from './contract.ts';

export interface RetryOptions {
  /** Maximum attempts of a request. Default: 3. */
  readonly attempts?: number;
  /** Delay before the second attempt, milliseconds. It doubles each time and is randomised. Default: 50. */
  readonly backoffMs?: number;
}

const MAX_TOKENS = 10;
const TOKEN_RATIO = 0.1;

/** The retry tokens of one client. */
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

/** The clock of this module, which tests replace. */
export interface Waiting {
  random(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** @throws {InferenceError} The error of the last attempt. */
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
