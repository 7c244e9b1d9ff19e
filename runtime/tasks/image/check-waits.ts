/** @module Whether a client still waits for what is computed for it. */

import { ServeError } from '../../errors.ts';
import type { ImageWaiter } from './operation.ts';

/** @throws {ServeError} `DEADLINE_EXCEEDED`, or the reason of the aborted signal */
export function checkWaits(waiter: ImageWaiter): void {
  if (waiter.signal?.aborted) throw waiter.signal.reason;
  const left = waiter.timeLeft();
  if (left !== undefined && left <= 0) {
    throw new ServeError('DEADLINE_EXCEEDED', 'The request was not answered by its deadline.');
  }
}

/** How long work on another thread goes on: until its client has left, or its deadline. */
export const patienceOf = (waiter: ImageWaiter) => ({
  signal: waiter.signal,
  timeoutMs: waiter.timeLeft(),
});
