/** @module The images that wait until they may be decoded, in the order in which they came. */

import type { CancelSignal } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import { timerDelay } from '../../timer-delay.ts';
import type { DecodeBudget } from './decode-budget.ts';

interface Waiting {
  readonly bytes: number;
  start(): void;
}

/** How long an image may wait. */
export interface Patience {
  readonly signal?: CancelSignal | undefined;
  /** Milliseconds until its deadline; undefined if it has none. */
  readonly timeoutMs?: number | undefined;
}

export class DecodeQueue {
  readonly #budget: DecodeBudget;
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];
  #listening = false;
  #decoding = 0;

  /** @param limit The most images that wait. */
  constructor(budget: DecodeBudget, limit: number) {
    this.#budget = budget;
    this.#limit = limit;
  }

  /** Images that wait or are being decoded. */
  get inFlight(): number {
    return this.#waiting.length + this.#decoding;
  }

  /**
   * Does the work when its turn has come and there is memory for it. Work that runs on after it was given up counts until it
   * ends.
   *
   * @param bytes The memory that the work needs.
   * @param keep Returns how many of these bytes the result keeps, which the caller gives back to the budget.
   * @param drop Called with a result that came too late.
   * @throws {ServeError} `OVERLOADED`, `DEADLINE_EXCEEDED`; the reason of an aborted signal
   */
  use<Result>(
    bytes: number,
    work: () => Promise<Result>,
    keep: (result: Result) => number,
    drop: (result: Result) => void,
    patience: Patience,
  ): Promise<Result> {
    const { signal, timeoutMs } = patience;
    if (signal?.aborted === true) return Promise.reject(reasonOf(signal));
    if (this.#waiting.length >= this.#limit) return Promise.reject(overloaded(this.#limit));
    return new Promise((resolve, reject) => {
      let isGivenUp = false;
      const entry: Waiting = { bytes, start: () => void run() };
      const giveUp = (error: unknown) => {
        isGivenUp = true;
        forget();
        this.#remove(entry);
        reject(error);
      };
      const onAbort = () => giveUp(reasonOf(signal!));
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => giveUp(tooLate()), timerDelay(timeoutMs));
      const forget = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const run = async () => {
        this.#decoding += 1;
        let kept = 0;
        try {
          const result = await work();
          if (isGivenUp) drop(result);
          else kept = keep(result);
          resolve(result);
        } catch (error) {
          reject(error);
        } finally {
          forget();
          this.#decoding -= 1;
          this.#budget.end(bytes, kept);
          this.startNext();
        }
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(entry);
      this.startNext();
    });
  }

  /** Starts what may start. Must be called when something is given back to the budget in this thread. */
  startNext(): void {
    const { version } = this.#budget;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#budget.begin(next.bytes)) {
        this.#listen(version);
        return;
      }
      this.#waiting.shift();
      next.start();
    }
  }

  /** Other threads may give back what the first image waits for. */
  #listen(version: number): void {
    if (this.#listening) return;
    this.#listening = true;
    void this.#budget.changeSince(version).then(() => {
      this.#listening = false;
      this.startNext();
    });
  }

  #remove(entry: Waiting): void {
    const index = this.#waiting.indexOf(entry);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    if (index > 0) return;
    this.#budget.withdraw();
    // A smaller one may come next.
    this.startNext();
  }
}

const reasonOf = (signal: CancelSignal): unknown =>
  signal.reason ?? new ServeError('CANCELLED', 'The client closed the connection.');

const tooLate = () =>
  new ServeError('DEADLINE_EXCEEDED', 'The image was not decoded by the deadline of the request.');

const overloaded = (limit: number) =>
  new ServeError('OVERLOADED', `Already ${limit} images wait to be decoded; retry later.`, {
    retryAfterMs: 1000,
  });
