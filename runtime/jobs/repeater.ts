/** @module Work that is repeated: in regular intervals, and when there is a reason. */

import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';

/** Runs its work again and again, one run at a time. */
export class Repeater {
  readonly #name: string;
  readonly #work: () => Promise<void>;
  readonly #everyMs: number;
  readonly #log: Log;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #failing = false;
  #stopped = false;

  /**
   * @param name What the work is, for the log.
   * @param everyMs The pause after a run. A run that fails is not retried earlier.
   */
  constructor(name: string, work: () => Promise<void>, everyMs: number, log: Log) {
    this.#name = name;
    this.#work = work;
    this.#everyMs = everyMs;
    this.#log = log;
  }

  /** Runs the work now, or once more if it is running. */
  wake(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#running ??= this.#runs();
  }

  /** Resolves when the work that is running has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #runs(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#run();
    }
    this.#running = undefined;
    if (!this.#stopped) this.#timer = setTimeout(() => this.wake(), this.#everyMs);
  }

  /** Logs only the first of several failures in a row, because a database may be away for hours. */
  async #run(): Promise<void> {
    try {
      await this.#work();
      this.#failing = false;
    } catch (error) {
      const expected = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (!this.#failing || !expected) {
        this.#log[expected ? 'warn' : 'error']({ err: error }, `${this.#name} failed`);
      }
      this.#failing = true;
      this.#again = false;
    }
  }
}
