/**
 * The requests of one JavaScript thread that are in flight: who waits for which slot and until when, and how
 * results get back to them.
 *
 * Why deadlines are kept here: .github/decisions/0004-the-javascript-thread-rejects-at-the-deadline.md
 *
 * @module
 */

// Deno's global timers return numbers, which cannot be unreferenced.
import { clearTimeout, setTimeout } from 'node:timers';
import type { NativeEngine, NativeModel } from './binding.ts';
import { DenoWakeup } from './deno-wakeup.ts';
import { withoutHalfArray } from './elements.ts';
import { errorCode, MillraceError } from './errors.ts';
import { Generations } from './generations.ts';
import { INPUT_BORROWED, INPUT_PIXELS, START_AT_ONCE, START_LATER, START_WAKE } from './layout.ts';
import {
  isDone,
  RecordReader,
  retryAfterMs,
  type Start,
  type WantedOutputs,
  writeAbsent,
  writeInput,
  writeOptions,
} from './mailbox.ts';
import { poolingWords } from './pooling.ts';
import { checkInputs, checkRunOptions } from './run-checks.ts';
import type { CancelSignal, RunOptions, RunResult } from './run-types.ts';
import type { ElementType, Tensors } from './tensor-types.ts';
import { free, type Moved, transfer } from './transfer.ts';
import type { TensorSpec } from './types.ts';

/** The longest delay of a timer. For a later deadline the timer is set again when this delay has passed. */
const MAX_DELAY_MS = 2 ** 31 - 1;

type Timer = ReturnType<typeof setTimeout>;

/** A model as the channel sees it: where it submits requests, and whom it tells what becomes of them. */
export interface SubmitTarget {
  readonly name: string;
  readonly native: NativeModel;
  /**
   * Returns whether a request submitted now wakes an instance at once. If not, the channel calls `wake` at
   * the end of this turn of the event loop.
   */
  wakesNow(): boolean;
  wake(): void;
  /** Called when one of its requests has been submitted. */
  submitted(): void;
  /** Called when one of its submitted requests has ended, whatever became of it. */
  settled(): void;
  /** Called when a request has shown that dimension 0 does not count rows, so that requests run alone from now on. */
  stopBatching(): void;
}

/** A request in flight. `resolve` is undefined once its promise has been rejected before its record arrived. */
interface Waiter extends WantedOutputs {
  readonly model: SubmitTarget;
  /** The memory of the caller that the addon reads until the request's record arrives. */
  readonly moved: Moved | undefined;
  readonly deadline: number;
  readonly signal: CancelSignal | undefined;
  onAbort: (() => void) | undefined;
  resolve: ((result: RunResult) => void) | undefined;
  reject: (reason: unknown) => void;
}

export class Channel {
  readonly #native: NativeEngine;
  readonly #mail: Float64Array;
  readonly #reader: RecordReader;
  /** The requests in flight by slot. Slots are small numbers that are used again, so an array is enough. */
  readonly #waiters: (Waiter | undefined)[] = [];
  /** Models with submitted requests for which no instance has been woken yet. */
  readonly #unwoken = new Set<{ wake(): void }>();
  /** Whether a request of this turn of the event loop ran on this thread; the later ones then share a batch. */
  #ranAtOnce = false;
  #timer: Timer | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  readonly #denoWakeup = process.versions.deno === undefined ? undefined : new DenoWakeup();
  readonly generations: Generations;

  constructor(native: NativeEngine) {
    this.#native = native;
    this.#mail = new Float64Array(native.mailbox);
    this.#reader = new RecordReader(native, this.#mail);
    this.generations = new Generations(native, this.#mail, this.#denoWakeup, (model) =>
      this.#wakeLater(model),
    );
  }

  /** Submits one request and returns the promise of `Model.run`, with its errors. */
  run(model: SubmitTarget, inputs: Tensors, options: RunOptions): Promise<RunResult> {
    const { timeoutMs, signal, pool } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const start = !model.wakesNow() ? START_LATER : this.#ranAtOnce ? START_WAKE : START_AT_ONCE;
    const wrong = checkRunOptions(model, options) ?? checkInputs(model.native, inputs);
    if (wrong !== undefined) return Promise.reject(new MillraceError('INVALID_ARGUMENT', wrong));
    const moved = options.transfer
      ? transfer(model.native.inputs, inputs, options.transfer === 'lend')
      : undefined;
    const values = this.#write(model, inputs, moved, options, start);

    const slot = model.native.submit(...values);
    if (slot < 0) {
      if (moved !== undefined) free(moved);
      return Promise.reject(this.#refusal(model, -slot));
    }
    model.submitted();
    this.#denoWakeup?.begin();
    const done = isDone(this.#mail);
    if (start === START_LATER) this.#wakeLater(model);
    return new Promise((resolve, reject) => {
      const deadline =
        timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
      const waiter: Waiter = {
        model,
        outputs: pool === undefined ? options.outputs : [pool.output],
        pooled: pool !== undefined,
        packStrings: options.packStrings ?? false,
        moved,
        deadline,
        signal,
        onAbort: undefined,
        resolve,
        reject,
      };
      this.#waiters[slot] = waiter;
      if (deadline < this.#timerDue) this.#arm(deadline);
      if (signal !== undefined) this.#listen(slot, waiter, signal);
      if (done) this.#deliverAtOnce();
    });
  }

  /**
   * Requests of one turn of the event loop count as arrived together: one wake-up serves them all, and they
   * share a batch. Why: .github/decisions/0005-one-wake-up-per-turn.md
   */
  #wakeLater(model: { wake(): void }): void {
    if (this.#unwoken.size === 0) this.#native.callSoon();
    this.#unwoken.add(model);
  }

  #deliverAtOnce(): void {
    this.#ranAtOnce = true;
    this.#endTurnLater();
    this.#drain();
  }

  /** Nothing is delivered later, so an immediate will do, which unlike `callSoon` makes no system call. */
  #endTurnLater(): void {
    // On Deno an immediate would run before the other requests that have arrived.
    if (this.#denoWakeup !== undefined) this.#native.callSoon();
    else setImmediate(this.#endTurn);
  }

  readonly #endTurn = () => {
    this.#ranAtOnce = false;
  };

  /** Starts a new turn of the event loop. The addon calls it for each wake-up, and after `callSoon`. */
  turn(): void {
    this.#ranAtOnce = false;
    if (this.#unwoken.size > 0) {
      for (const model of this.#unwoken) model.wake();
      this.#unwoken.clear();
    }
    this.#drain();
    this.generations.drain();
  }

  /** Settles the promises of all requests that have finished. */
  #drain(): void {
    const reader = this.#reader;
    for (let records = this.#native.drain(); records > 0; records = this.#native.drain()) {
      reader.rewind();
      for (; records > 0; records--) {
        reader.next();
        this.#settle(reader);
      }
    }
  }

  /** Rejects the promise of a request whose run has passed `runLimitMs`, if it is still pending. */
  overdue(slot: number, reason: unknown): void {
    const waiter = this.#waiters[slot];
    if (waiter?.resolve !== undefined) this.#rejectEarly(waiter, reason);
  }

  /** Stops the timer of deadlines. No request may be in flight. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#denoWakeup?.stop();
    this.#native.detach();
  }

  /** Waits for a promise that another thread settles; on Deno the event loop is woken for it. */
  async await<T>(promise: Promise<T>): Promise<T> {
    this.#denoWakeup?.begin();
    try {
      return await promise;
    } finally {
      this.#denoWakeup?.end();
    }
  }

  #settle(reader: RecordReader): void {
    const { slot } = reader;
    const waiter = this.#waiters[slot]!;
    this.#waiters[slot] = undefined;
    this.#denoWakeup?.end();
    if (waiter.moved !== undefined) free(waiter.moved);
    if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort);
    if (waiter.resolve !== undefined) {
      if (reader.code === 0) this.#resolve(waiter, waiter.resolve, reader);
      else waiter.reject(reader.error());
    }
    if (reader.retained) this.#native.release(slot);
    if (reader.otherRows) waiter.model.stopBatching();
    waiter.model.settled();
  }

  #resolve(waiter: Waiter, resolve: (result: RunResult) => void, reader: RecordReader): void {
    try {
      resolve(reader.result(waiter.model.native.outputs, waiter));
    } catch (error) {
      waiter.reject(error);
    }
  }

  /** Rejects the promise before the addon has finished the request, whose record is dropped when it arrives. */
  #rejectEarly(waiter: Waiter, reason: unknown): void {
    waiter.resolve = undefined;
    waiter.reject(reason);
  }

  #listen(slot: number, waiter: Waiter, signal: CancelSignal): void {
    waiter.onAbort = () => {
      if (waiter.resolve === undefined) return;
      this.#native.cancel(slot);
      this.#rejectEarly(waiter, signal.reason);
    };
    signal.addEventListener('abort', waiter.onAbort);
  }

  /** Sets the one timer of the thread, which serves all deadlines, to the earliest of them. */
  #arm(deadline: number): void {
    clearTimeout(this.#timer);
    this.#timerDue = deadline;
    const delay = Math.min(Math.max(deadline - performance.now(), 0), MAX_DELAY_MS);
    this.#timer = setTimeout(() => this.#expire(), delay);
    this.#timer.unref();
  }

  #expire(): void {
    const now = performance.now();
    let earliest = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < this.#waiters.length; slot++) {
      const waiter = this.#waiters[slot];
      if (waiter?.resolve === undefined) continue;
      if (waiter.deadline <= now) {
        const { name } = waiter.model;
        // The request is not cancelled here: the instances know its deadline, and count it as expired.
        this.#rejectEarly(
          waiter,
          new MillraceError(
            'DEADLINE_EXCEEDED',
            `The deadline of a request to model '${name}' passed: allow more time or lower the load`,
          ),
        );
      } else {
        earliest = Math.min(earliest, waiter.deadline);
      }
    }
    this.#timerDue = Number.POSITIVE_INFINITY;
    if (earliest !== Number.POSITIVE_INFINITY) this.#arm(earliest);
  }

  /** Writes the request to the mailbox, and returns what `submit` gets. */
  #write(
    model: SubmitTarget,
    inputs: Tensors,
    moved: Moved | undefined,
    options: RunOptions,
    start: Start,
  ): unknown[] {
    const { inputs: specs } = model.native;
    // They are read first: a getter in an array of strings may run another request, which overwrites the mailbox.
    const values = specs.map(({ name }) => moved?.views.get(name) ?? dataOf(inputs[name]?.data));
    if (options.pool !== undefined) values.push(poolingWords(options.pool, model.native.outputs));
    // To copy and run large inputs here would block this thread for longer than to hand them to an instance.
    const how = moved !== undefined && start === START_AT_ONCE ? START_WAKE : start;
    let word = writeOptions(this.#mail, options.timeoutMs, options.priority ?? 0, how);
    for (const spec of specs) {
      const tensor = inputs[spec.name];
      word =
        tensor === undefined
          ? writeAbsent(this.#mail, word)
          : writeInput(this.#mail, word, tensor.dims, flagsOf(spec, tensor.type, moved));
    }
    return values;
  }

  #refusal(model: SubmitTarget, code: number): MillraceError {
    const name = errorCode(code);
    if (name === 'UNAVAILABLE') {
      return new MillraceError(
        name,
        `The queue of model '${model.name}' is full or too long for the time allowed: try again later`,
        { retryAfterMs: Math.max(retryAfterMs(this.#mail), 1) },
      );
    }
    if (name === 'DEADLINE_EXCEEDED') {
      return new MillraceError(
        name,
        `Model '${model.name}' takes longer than the time allowed: allow more time`,
      );
    }
    if (name === 'FAILED_PRECONDITION') {
      return new MillraceError(name, `Model '${model.name}' is closed: load it again`);
    }
    return new MillraceError(name, this.#native.message());
  }
}

/** A tensor of another type than that of its input is pixels, as `checkInputs` has made sure. */
const flagsOf = ({ name, type }: TensorSpec, given: ElementType, moved: Moved | undefined) =>
  (moved?.views.has(name) ? INPUT_BORROWED : 0) | (given === type ? 0 : INPUT_PIXELS);

/** Returns the data of a tensor as the addon reads it: typed arrays as they are, and copies of arrays of strings. */
const dataOf = (data: unknown): unknown =>
  Array.isArray(data) ? Array.from(data) : withoutHalfArray(data);
