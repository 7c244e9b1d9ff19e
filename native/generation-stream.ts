/** @module A generation as its caller sees it: the tokens so far, those who wait for more, and how it ended. */

import { MillraceError } from './errors.ts';
import type { Generation, GenerationResult } from './generation-types.ts';

/** How far an iteration has read. */
interface Reader {
  cursor: number;
  done: boolean;
}

type Step = IteratorResult<Int32Array, undefined>;

const DONE: Step = { done: true, value: undefined };

/** Whoever makes the tokens calls `push` with them, and then once `succeed` or `fail`. Later calls change nothing. */
export class GenerationStream implements Generation {
  readonly result: Promise<GenerationResult>;
  #resolve!: (result: GenerationResult) => void;
  #reject!: (reason: unknown) => void;
  /** The tokens so far are the first `#length` elements. */
  #tokens = new Int32Array(16);
  #length = 0;
  #end: { readonly failed: boolean; readonly reason?: unknown } | undefined;
  #waiting: (() => void)[] = [];
  readonly #onCancel: () => void;

  /** @param onCancel Called once if the caller cancels the generation before it has ended. */
  constructor(onCancel: () => void) {
    this.#onCancel = onCancel;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only iterates learns of a failure there.
    this.result.catch(() => {});
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  push(tokens: ArrayLike<number>): void {
    if (this.ended) return;
    this.#append(tokens);
    this.#wake();
  }

  /** Ends the generation. Tokens of the result that were not pushed reach the iterations now. */
  succeed(result: GenerationResult): void {
    if (this.ended) return;
    this.#append(result.tokens.subarray(this.#length));
    this.#end = { failed: false };
    this.#resolve(result);
    this.#wake();
  }

  fail(reason: unknown): void {
    if (this.ended) return;
    this.#end = { failed: true, reason };
    this.#reject(reason);
    this.#wake();
  }

  cancel(): void {
    if (this.ended) return;
    this.fail(new MillraceError('CANCELLED', 'The generation was cancelled by its caller'));
    this.#onCancel();
  }

  [Symbol.asyncIterator](): AsyncIterator<Int32Array, undefined> {
    const reader: Reader = { cursor: 0, done: false };
    return {
      next: () => this.#next(reader),
      // An async generator function would not do: its `return` waits for a `next` that is still pending.
      return: async () => {
        reader.done = true;
        this.cancel();
        return DONE;
      },
    };
  }

  async #next(reader: Reader): Promise<Step> {
    for (;;) {
      if (reader.done) return DONE;
      if (reader.cursor < this.#length) {
        const value = this.#tokens.slice(reader.cursor, this.#length);
        reader.cursor = this.#length;
        return { done: false, value };
      }
      if (this.#end !== undefined) {
        reader.done = true;
        if (this.#end.failed) throw this.#end.reason;
        return DONE;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #append(tokens: ArrayLike<number>): void {
    const length = this.#length + tokens.length;
    if (length > this.#tokens.length) {
      const larger = new Int32Array(Math.max(length, 2 * this.#tokens.length));
      larger.set(this.#tokens.subarray(0, this.#length));
      this.#tokens = larger;
    }
    this.#tokens.set(tokens, this.#length);
    this.#length = length;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
