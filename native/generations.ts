/**
 * The generations of one JavaScript thread that are in flight: who waits for which slot, and how tokens and results
 * get back to them. Its counterpart for the runs of models is `channel.ts`.
 *
 * @module
 */

// Deno's global timers return numbers, which cannot be unreferenced.
import { clearTimeout, setTimeout } from 'node:timers';
import type { DenoWakeup } from './deno-wakeup.ts';
import { errorCode, MillraceError } from './errors.ts';
import type {
  NativeGenerateOptions,
  NativeGenerations,
  NativeGenerator,
} from './generation-binding.ts';
import { GenerationStream } from './generation-stream.ts';
import type { Generation, GenerationResult } from './generation-types.ts';
import {
  FINISH_STOP,
  GENERATION_CODE,
  GENERATION_DECODE_MS,
  GENERATION_FINISH,
  GENERATION_NEW_TOKENS,
  GENERATION_PREFILL_MS,
  GENERATION_QUEUE_MS,
  GENERATION_REQUESTS,
  GENERATION_ROWS,
  GENERATION_RUNNING,
  GENERATION_SCORE,
  GENERATION_SLOT,
  GENERATION_STEPS,
  GENERATION_TOKENS,
  GENERATION_WORDS,
} from './layout.ts';
import { retryAfterMs } from './mailbox.ts';
import type { CancelSignal } from './run-types.ts';

/** The longest delay of a timer. For a later deadline the timer is set again when this delay has passed. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A generative model as its thread's generations see it. */
export interface GenerationTarget {
  readonly name: string;
  readonly native: NativeGenerator;
  wake(): void;
  /** Called when a generation has been submitted. */
  submitted(): void;
  /** Called when a submitted generation has ended natively, whatever became of it. */
  settled(): void;
}

/** A generation in flight. It stays until the addon has ended it, also if its caller has been told of an end before. */
interface Waiter {
  readonly target: GenerationTarget;
  readonly stream: GenerationStream;
  readonly signal: CancelSignal | undefined;
  onAbort: (() => void) | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Generations {
  readonly #native: NativeGenerations & { message(): string };
  readonly #mail: Float64Array;
  readonly #denoWakeup: DenoWakeup | undefined;
  /** Has `wake` of a target called at the end of this turn of the event loop. */
  readonly #wakeLater: (target: GenerationTarget) => void;
  /** The generations in flight by slot. Slots are small numbers that are used again, so an array is enough. */
  readonly #waiters: (Waiter | undefined)[] = [];
  #inFlight = 0;

  constructor(
    native: NativeGenerations & { message(): string },
    mail: Float64Array,
    denoWakeup: DenoWakeup | undefined,
    wakeLater: (target: GenerationTarget) => void,
  ) {
    this.#native = native;
    this.#mail = mail;
    this.#denoWakeup = denoWakeup;
    this.#wakeLater = wakeLater;
  }

  /** Submits one generation. Errors are reported by the generation that it returns. */
  start(
    target: GenerationTarget,
    inputIds: Int32Array,
    options: NativeGenerateOptions,
    timeoutMs: number | undefined,
    signal: CancelSignal | undefined,
  ): Generation {
    const slot = target.native.generate(inputIds, options);
    if (slot < 0) return failed(this.#refusal(target, -slot));
    target.submitted();
    this.#inFlight++;
    this.#denoWakeup?.begin();
    // Generations of one turn of the event loop start together.
    this.#wakeLater(target);
    const waiter: Waiter = {
      target,
      stream: new GenerationStream(() => this.#native.cancelGeneration(slot)),
      signal,
      onAbort: undefined,
      timer: undefined,
    };
    this.#waiters[slot] = waiter;
    if (timeoutMs !== undefined) this.#arm(waiter, performance.now() + timeoutMs);
    if (signal !== undefined) {
      waiter.onAbort = () => {
        waiter.stream.fail(signal.reason);
        this.#native.cancelGeneration(slot);
      };
      signal.addEventListener('abort', waiter.onAbort);
    }
    return waiter.stream;
  }

  /** Delivers the tokens that have been made, and the generations that have ended, since the last call. */
  drain(): void {
    if (this.#inFlight === 0) return;
    const mail = this.#mail;
    let records = this.#native.drainGenerations();
    for (; records > 0; records = this.#native.drainGenerations()) {
      for (let word = 0; records > 0; records--) {
        const { stream } = this.#waiters[mail[word + GENERATION_SLOT]!]!;
        const tokens = word + GENERATION_WORDS;
        const end = tokens + mail[word + GENERATION_NEW_TOKENS]!;
        if (end > tokens) stream.push(mail.subarray(tokens, end));
        if (mail[word + GENERATION_CODE] !== GENERATION_RUNNING) this.#settle(word);
        word = end;
      }
    }
  }

  /** Fails a generation whose step has passed `runLimitMs`, if it has not ended. */
  overdue(slot: number, reason: unknown): void {
    this.#waiters[slot]?.stream.fail(reason);
  }

  /** Settles the generation whose end is in the record at `word`. */
  #settle(word: number): void {
    const mail = this.#mail;
    const slot = mail[word + GENERATION_SLOT]!;
    const code = mail[word + GENERATION_CODE]!;
    const { target, stream, signal, onAbort, timer } = this.#waiters[slot]!;
    this.#waiters[slot] = undefined;
    this.#inFlight--;
    this.#denoWakeup?.end();
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    const tokens = new Int32Array(mail[word + GENERATION_TOKENS]!);
    const message = this.#native.takeGeneration(slot, tokens);
    if (code === 0) stream.succeed(this.#result(word, tokens));
    else stream.fail(new MillraceError(errorCode(code), message));
    target.settled();
  }

  #result(word: number, tokens: Int32Array): GenerationResult {
    const mail = this.#mail;
    const prefillMs = mail[word + GENERATION_PREFILL_MS]!;
    const decodeMs = mail[word + GENERATION_DECODE_MS]!;
    const score = mail[word + GENERATION_SCORE]!;
    return {
      tokens,
      finishReason: mail[word + GENERATION_FINISH] === FINISH_STOP ? 'stop' : 'length',
      score: Number.isNaN(score) ? undefined : score,
      timings: {
        queueMs: mail[word + GENERATION_QUEUE_MS]!,
        computeMs: prefillMs + decodeMs,
        prefillMs,
        decodeMs,
        batchRows: mail[word + GENERATION_ROWS]!,
        batchRequests: mail[word + GENERATION_REQUESTS]!,
      },
      steps: mail[word + GENERATION_STEPS]!,
    };
  }

  #arm(waiter: Waiter, deadline: number): void {
    const left = deadline - performance.now();
    const expire = () => {
      if (left > MAX_DELAY_MS) return this.#arm(waiter, deadline);
      // It is not cancelled here: the generator knows its deadline, and counts it as expired.
      waiter.stream.fail(
        new MillraceError(
          'DEADLINE_EXCEEDED',
          `The deadline of a generation by model '${waiter.target.name}' passed: allow more time or fewer tokens`,
        ),
      );
    };
    waiter.timer = setTimeout(expire, Math.min(Math.max(left, 0), MAX_DELAY_MS));
    waiter.timer.unref();
  }

  #refusal({ name }: GenerationTarget, code: number): MillraceError {
    const known = errorCode(code);
    if (known === 'UNAVAILABLE') {
      return new MillraceError(known, `The queue of model '${name}' is full: try again later`, {
        retryAfterMs: Math.max(retryAfterMs(this.#mail), 1),
      });
    }
    if (known === 'FAILED_PRECONDITION') return closedError(name);
    return new MillraceError(known, this.#native.message());
  }
}

/** Returns a generation that has failed already. */
export function failed(reason: unknown): Generation {
  const stream = new GenerationStream(() => {});
  stream.fail(reason);
  return stream;
}

export const closedError = (name: string): MillraceError =>
  new MillraceError('FAILED_PRECONDITION', `Model '${name}' is closed: load it again`);
