/** @module A loaded model as one JavaScript thread holds it. */

import { type NativeAxis, paddedRowElements } from './axes.ts';
import type { NativeLoadOptions, NativeModel } from './binding.ts';
import type { Channel, SubmitTarget } from './channel.ts';
import type { DeviceReport } from './device-types.ts';
import { MillraceError } from './errors.ts';
import type { RunOptions, RunResult } from './run-types.ts';
import { isSplittable, runInParts } from './split.ts';
import type { Tensors } from './tensor-types.ts';
import { takeOver } from './transfer.ts';
import type { Model, ModelStats, Signature } from './types.ts';

/** What the addon does not know of a loaded model. */
export interface ModelFacts {
  readonly name: string;
  readonly digest: string;
  readonly maxRequestRows: number;
  readonly limits: BatchLimits;
  /** Called with a sentence when something has changed since the model was loaded. */
  readonly notice: (sentence: string) => void;
  /** Called with the last statistics before the native model is released. */
  readonly onClosing: (last: ModelStats) => Promise<void>;
  /** Called when the native model has been released. */
  readonly onClosed: () => void;
}

const OTHER_ROWS =
  'Requests run alone, since one came back with another number of rows than it brought: dimension 0 of an output does not count rows';

/** The options of the load that limit the size of a batch. */
export type BatchLimits = Pick<NativeLoadOptions, 'axes' | 'maxElements' | 'rowBuckets'>;

export class LoadedModel implements Model, SubmitTarget {
  readonly name: string;
  readonly digest: string;
  readonly device: string;
  readonly report: DeviceReport;
  readonly signature: Signature;
  readonly instances: number;
  readonly intraOpThreads: number;
  readonly native: NativeModel;
  readonly #channel: Channel;
  /** The input whose dimension 0 is the number of a request's rows; undefined if the model does not batch. */
  #counted: string | undefined;
  readonly #maxRows: number;
  #notice: (sentence: string) => void;
  readonly #maxRequestRows: number;
  readonly #limits: BatchLimits;
  readonly #axes: readonly NativeAxis[];
  readonly #onClosing: (last: ModelStats) => Promise<void>;
  readonly #onClosed: () => void;
  #inFlight = 0;
  /** Requests since an instance was last woken. */
  #unwoken = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(facts: ModelFacts, native: NativeModel, channel: Channel) {
    this.name = facts.name;
    this.digest = facts.digest;
    this.report = Object.freeze(native.report);
    this.device = native.report.device;
    this.native = native;
    this.instances = native.instances;
    this.intraOpThreads = native.intraOpThreads;
    this.#channel = channel;
    const given = native.inputs.find(({ name }) => !native.masks.includes(name));
    this.#counted = native.batched ? given!.name : undefined;
    this.#maxRows = native.maxRows;
    this.#maxRequestRows = facts.maxRequestRows;
    this.#limits = facts.limits;
    // If nothing is padded, every length is run as it is.
    this.#axes = native.pads ? facts.limits.axes : [];
    this.#onClosing = facts.onClosing;
    this.#onClosed = facts.onClosed;
    this.#notice = facts.notice;
    const counts = () => this.#counted !== undefined;
    this.signature = Object.freeze({
      inputs: native.inputs,
      outputs: native.outputs,
      batching: {
        get enabled() {
          return counts();
        },
        get maxRows() {
          return counts() ? native.maxRows : 1;
        },
        get reason() {
          return native.batched && !counts() ? OTHER_ROWS : native.reason;
        },
        ...(this.#axes.length === 0
          ? {}
          : { axes: Object.fromEntries(this.#axes.map(({ name, buckets }) => [name, buckets])) }),
      },
    });
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  run(inputs: Tensors, options: RunOptions = {}): Promise<RunResult> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError());
    const rows = this.#counted === undefined ? 1 : inputs?.[this.#counted]?.dims?.[0];
    if (rows !== undefined && rows > 1) {
      const most = this.#rowsOfPart(inputs);
      if (rows > Math.min(most, this.#maxRequestRows)) {
        return this.#runLarge(inputs, options, rows, most);
      }
    }
    return this.#channel.run(this, inputs, options);
  }

  /** Returns the most rows of these inputs that fit into a batch. */
  #rowsOfPart(inputs: Tensors): number {
    if (this.#limits.maxElements === 0) return this.#maxRows;
    const { inputs: specs } = this.native;
    const fitting = Math.floor(
      this.#limits.maxElements / paddedRowElements(inputs, specs, this.#axes),
    );
    const most = Math.min(Math.max(fitting, 1), this.#maxRows);
    return this.#limits.rowBuckets.findLast((size) => size <= most) ?? most;
  }

  #runLarge(inputs: Tensors, options: RunOptions, rows: number, most: number): Promise<RunResult> {
    const run = (part: Tensors, its: RunOptions) => this.#channel.run(this, part, its);
    if (!isSplittable(inputs, rows)) return run(inputs, options);
    if (rows > this.#maxRequestRows) {
      return Promise.reject(
        new MillraceError(
          'INVALID_ARGUMENT',
          `The request has ${rows} rows, but model '${this.name}' takes at most ` +
            `${this.#maxRequestRows}: send it in parts`,
        ),
      );
    }
    const owned = options.transfer === true ? takeOver(this.native.inputs, inputs) : inputs;
    // There is one part more in flight than there are instances, so that one is queued when an instance is free.
    // The whole counts as one request in flight, so that close() waits for its last part.
    this.#inFlight++;
    return runInParts(run, owned, options, rows, most, this.instances + 1)
      .then((result) => result ?? run(owned, { ...options, transfer: false }))
      .finally(() => this.settled());
  }

  /** Returns true for the first request of an idle model, and then for each one that makes a batch full. */
  wakesNow(): boolean {
    return this.#inFlight === 0 || this.#unwoken + 1 >= this.#maxRows;
  }

  wake(): void {
    this.#unwoken = 0;
    this.native.wake();
  }

  submitted(): void {
    this.#inFlight++;
    this.#unwoken = this.#unwoken + 1 >= this.#maxRows ? 0 : this.#unwoken + 1;
  }

  settled(): void {
    if (--this.#inFlight === 0) this.#onIdle?.();
  }

  stopBatching(): void {
    if (this.#counted === undefined) return;
    this.#counted = undefined;
    this.#notice(`${OTHER_ROWS} (model '${this.name}')`);
  }

  stats(): ModelStats {
    const stats = this.native.stats();
    if (stats === null) throw this.#closedError();
    // A request of another thread may have shown that dimension 0 does not count rows.
    if (!stats.batched) this.stopBatching();
    return stats;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    try {
      await this.#onClosing(this.stats());
    } finally {
      await this.#channel.await(this.native.release());
      this.#onClosed();
    }
  }

  #closedError(): MillraceError {
    return new MillraceError(
      'FAILED_PRECONDITION',
      `Model '${this.name}' is closed: load it again`,
    );
  }
}
