/** @module Requests to the thread of a tokenizer that wait for their answers. */

import type { CancelSignal } from '../../../native/index.ts';
import type { TokenizerRequest } from './wire.ts';

/** A request without its id. */
type Ask = TokenizerRequest extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'id'>
    : never
  : never;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

export class PendingAnswers {
  readonly #send: (request: TokenizerRequest) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #idle: (() => void)[] = [];
  #last = 0;

  /** @param send Passes a request to the thread. */
  constructor(send: (request: TokenizerRequest) => void) {
    this.#send = send;
  }

  /** Resolves with the answer. @throws the signal's reason if it aborts first, and the thread drops the request. */
  ask<Answer>(ask: Ask, signal?: CancelSignal): Promise<Answer> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#last += 1;
    const id = this.#last;
    const abort = () => {
      this.#send({ kind: 'cancel', id });
      this.reject(id, signal?.reason);
    };
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
    });
    signal?.addEventListener('abort', abort);
    this.#send({ ...ask, id } as TokenizerRequest);
    return signal === undefined
      ? answer
      : answer.finally(() => signal.removeEventListener('abort', abort));
  }

  resolve(id: number, answer: unknown): void {
    this.#take(id)?.resolve(answer);
  }

  reject(id: number, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  /** Rejects everything that waits. */
  end(error: Error): void {
    for (const id of [...this.#waiting.keys()]) this.reject(id, error);
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    return waiting;
  }
}
