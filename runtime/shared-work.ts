/** @module Work that many callers request, and of which one run at a time is enough. */

/** Does the work once for all callers that request it at the same time. No two runs of it overlap. */
export class SharedWork<Result> {
  readonly #work: () => Promise<Result>;
  #running: Promise<Result> | undefined;
  #next: Promise<Result> | undefined;

  constructor(work: () => Promise<Result>) {
    this.#work = work;
  }

  /** The result of work that starts now or later, so that it includes everything that happened before the call. */
  run(): Promise<Result> {
    // First, because a run ends some turns of the queue of microtasks before the next one starts.
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#start();
    const start = () => this.#start();
    this.#next = this.#running.then(start, start);
    return this.#next;
  }

  #start(): Promise<Result> {
    this.#next = undefined;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
