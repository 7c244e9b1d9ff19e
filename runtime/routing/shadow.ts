/**
 * Sends copies of requests to shadows, after the responses of the requests themselves. Copies have a budget of their own,
 * run with the lowest priority and are the first to be dropped, so that they never cost a request its place
 * (.github/decisions/0035).
 *
 * @module
 */

import { setImmediate } from 'node:timers';
import type { PoolOptions, RunOptions, RunResult, Tensors } from '../../native/index.ts';
import type { Clock } from '../clock.ts';
import { type ModelVersion, withPool } from '../model.ts';
import { copyTensors, sizeOf } from './tensors.ts';

/** Copies of one HTTP thread at a time, waiting and running. */
const MAX_COPIES = 64;
/** Bytes of inputs that they may hold together. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Copies that run at the same time. */
const MAX_RUNNING = 4;
/** A copy that takes longer than this has failed. */
const TIMEOUT_MS = 10_000;
/** The least urgent level of the engine. */
const LAST = 255;

/** What a run needs, prepared for the shadow. */
export interface CopiedRequest {
  readonly runs: readonly Tensors[];
  readonly outputs: readonly string[] | undefined;
  readonly packStrings?: boolean;
  readonly pooling?: readonly PoolOptions[] | undefined;
}

/** The results of a copy, or the reason why it has none. */
export interface ShadowAnswer {
  readonly results: readonly RunResult[] | undefined;
  readonly latencyMs: number;
}

/** A copy that holds its place in the budget, until it has run or is discarded. */
export interface Copy extends CopiedRequest {
  readonly version: ModelVersion;
  readonly bytes: number;
}

interface Waiting {
  readonly copy: Copy;
  readonly settle: (answer: ShadowAnswer) => void;
}

export class ShadowQueue {
  readonly #clock: Clock;
  readonly #isBusy: () => boolean;
  readonly #waiting: Waiting[] = [];
  readonly #stop = new AbortController();
  #copies = 0;
  #bytes = 0;
  #running = 0;
  #scheduled = false;

  /** @param isBusy Whether the thread has so many requests that it takes no copies. */
  constructor(clock: Clock, isBusy: () => boolean) {
    this.#clock = clock;
    this.#isBusy = isBusy;
  }

  /** Whether there is room for one more copy. */
  get hasRoom(): boolean {
    return this.#copies < MAX_COPIES && !this.#stop.signal.aborted && !this.#isBusy();
  }

  /** Copies a request that is prepared for the version; undefined if it does not fit the budget. */
  copy(version: ModelVersion, { runs, ...rest }: CopiedRequest): Copy | undefined {
    const bytes = runs.reduce((sum, inputs) => sum + sizeOf(inputs), 0);
    if (!this.hasRoom || this.#bytes + bytes > MAX_BYTES) return undefined;
    this.#copies += 1;
    this.#bytes += bytes;
    return { ...rest, runs: runs.map(copyTensors), version: version.hold(), bytes };
  }

  /** Runs a copy later. @param settle Called with its results. */
  run(copy: Copy, settle: (answer: ShadowAnswer) => void): void {
    this.#waiting.push({ copy, settle });
    this.#schedule();
  }

  discard({ version, bytes }: Copy): void {
    this.#copies -= 1;
    this.#bytes -= bytes;
    version.release();
  }

  /** Drops what waits and cancels what runs. */
  close(): void {
    this.#stop.abort();
    for (const { copy } of this.#waiting.splice(0)) this.discard(copy);
  }

  /** The host sends responses at the end of a turn, so copies start in the next one. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#running < MAX_RUNNING) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        void this.#start(next);
      }
    });
  }

  async #start({ copy, settle }: Waiting): Promise<void> {
    this.#running += 1;
    const startedMs = this.#clock.now();
    const results = await this.#results(copy).catch(() => undefined);
    const latencyMs = this.#clock.now() - startedMs;
    this.#running -= 1;
    if (!this.#stop.signal.aborted) settle({ results, latencyMs });
    this.discard(copy);
    if (this.#waiting.length > 0) this.#schedule();
  }

  async #results(copy: Copy): Promise<RunResult[]> {
    const { version, runs, outputs, packStrings = false, pooling } = copy;
    const wanted = outputs ?? version.outputs;
    const options: RunOptions = {
      priority: LAST,
      timeoutMs: TIMEOUT_MS,
      signal: this.#stop.signal,
      packStrings,
      ...(wanted === undefined ? {} : { outputs: wanted }),
    };
    const results: RunResult[] = [];
    for (const [run, inputs] of runs.entries()) {
      results.push(await version.run(inputs, withPool(options, pooling?.[run])));
    }
    return results;
  }
}
