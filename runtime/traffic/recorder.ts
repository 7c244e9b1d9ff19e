/** @module Writes what one HTTP thread has counted to the database, each second. */

import { randomUUID } from 'node:crypto';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Store, sqlState } from '../store/store.ts';
import { type Batch, Counters } from './counters.ts';
import { writeBatch } from './write-batch.ts';

export class Recorder {
  readonly counters = new Counters();
  readonly #store: Store;
  readonly #log: Log;
  readonly #writer = randomUUID();
  #number = 0;
  /** A batch that is being written, or whose writing failed; then it is unknown whether it was carried out. */
  #unwritten: Batch | undefined;
  #writing: Promise<void> | undefined;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Writes what was counted. To be called each second. */
  tick(): Promise<void> {
    this.counters.makeRoom();
    return this.flush();
  }

  /** Writes what was counted up to now. Never rejects: what cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    // A write that has begun does not have what was counted since.
    await this.#writing;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #write(): Promise<void> {
    // While the database cannot be reached, counts go on in one batch of a limited size.
    if (this.#unwritten === undefined) {
      this.#unwritten = this.counters.take();
      this.#number += 1;
    }
    if (this.#unwritten === undefined) return;
    try {
      await writeBatch(this.#store, this.#writer, this.#number, this.#unwritten);
      this.#unwritten = undefined;
    } catch (error) {
      if (isTransient(error)) return;
      // It would fail again, and hold up all that comes after it.
      this.#unwritten = undefined;
      this.#log.error({ err: error }, 'statistics of arms lost');
    }
  }
}

/** Whether the database cannot be reached, or has ended the transaction in favour of another one. */
const isTransient = (error: unknown): boolean =>
  (error instanceof ServeError && error.code === 'STORE_UNAVAILABLE') ||
  sqlState(error)?.startsWith('40') === true;
