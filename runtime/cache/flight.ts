/** @module A run whose results several requests wait for. */

import type { CancelSignal } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import { timerDelay } from '../timer-delay.ts';

/**
 * Work that is started once and that any number of requests wait for. It is cancelled when the last of them has given up:
 * that one of them gives up does not affect the others.
 */
export class Flight<Result> {
  readonly #cancel = new Cancel();
  readonly #result: Promise<Result>;
  #waiting = 0;

  /** @param work Gets the signal that cancels it. */
  constructor(work: (signal: CancelSignal) => Promise<Result>) {
    // In a later turn of the queue of microtasks, so that the owner has stored the flight before its work can end.
    this.#result = Promise.resolve(this.#cancel).then(work);
  }

  /** Whether everybody has given up. Then nobody may wait for it any more. */
  get isCancelled(): boolean {
    return this.#cancel.aborted;
  }

  /**
   * Waits for the result. Rejects with the reason of the signal, with `DEADLINE_EXCEEDED` after the timeout, or as the work
   * does.
   */
  wait(signal: CancelSignal | undefined, timeoutMs: number | undefined): Promise<Result> {
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      const giveUp = (reason: unknown) => {
        end();
        reject(reason);
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#cancel.abort(reason);
      };
      const abort = () => giveUp(signal?.reason);
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => giveUp(late()), timerDelay(timeoutMs));
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      signal?.addEventListener('abort', abort);
      this.#result.then(
        (result) => {
          end();
          resolve(result);
        },
        (error) => {
          end();
          reject(error);
        },
      );
      if (signal?.aborted) abort();
    });
  }
}

const late = () =>
  new ServeError('DEADLINE_EXCEEDED', 'The request was not answered by its deadline.');

/** Whether an error says that a deadline has passed, in the words of the runtime or of the engine. */
export const isLate = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'DEADLINE_EXCEEDED';

/** The part of an `AbortController` and its signal that runs use; the real ones cost several percent of a small request. */
class Cancel implements CancelSignal {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
  }
}
