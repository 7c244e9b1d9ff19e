/**
 * Writes requests to the mailbox and reads records of finished requests from it. The mailbox is the array of
 * doubles through which a call to the addon passes its arguments and its results; its layout is described in
 * addon/mailbox_layout.h. The other side is addon/convert.cc (requests) and addon/completion.cc (records).
 *
 * Why: .github/decisions/0002-a-mailbox-instead-of-arguments.md
 *
 * @module
 */

import type { NativeEngine } from './binding.ts';
import { ElementViews, elementArrays } from './elements.ts';
import { errorCode, MillraceError } from './errors.ts';
import {
  FLAG_OTHER_ROWS,
  FLAG_RETAINED,
  INPUT_FLAGS,
  INPUT_LEFT_OUT,
  INPUT_RANK,
  INPUT_WORDS,
  OUTPUT_BYTES,
  OUTPUT_FETCHED,
  OUTPUT_RANK,
  OUTPUT_WORDS,
  RECORD_CODE,
  RECORD_COMPUTE_MS,
  RECORD_FLAGS,
  RECORD_LENGTH,
  RECORD_OUTPUTS,
  RECORD_QUEUE_MS,
  RECORD_REQUESTS,
  RECORD_ROWS,
  RECORD_SLOT,
  RECORD_WORDS,
  REQUEST_PRIORITY,
  REQUEST_START,
  REQUEST_TIMEOUT,
  REQUEST_WORDS,
  RETRY_AFTER,
  type START_AT_ONCE,
  START_DONE,
  type START_LATER,
  type START_WAKE,
} from './layout.ts';
import { quote } from './quote.ts';
import type { RunResult, Timings } from './run-types.ts';
import type { ElementType, PackedTensor, Tensor } from './tensor-types.ts';
import type { TensorSpec } from './types.ts';

/** When a submitted request starts: see addon/mailbox_layout.h. */
export type Start = typeof START_LATER | typeof START_WAKE | typeof START_AT_ONCE;

/** Returns whether the request just submitted has already run, so that its response can be drained. */
export function isDone(mail: Float64Array): boolean {
  return mail[REQUEST_START] === START_DONE;
}

/** Returns the milliseconds after which a request just refused as `UNAVAILABLE` may be sent again. */
export function retryAfterMs(mail: Float64Array): number {
  return mail[RETRY_AFTER]!;
}

/** Writes the options of a request. Returns the word at which its inputs follow. */
export function writeOptions(
  mail: Float64Array,
  timeoutMs: number | undefined,
  priority: number,
  start: Start,
): number {
  mail[REQUEST_TIMEOUT] = timeoutMs === undefined ? -1 : timeoutMs * 1e6;
  mail[REQUEST_PRIORITY] = priority;
  mail[REQUEST_START] = start;
  return REQUEST_WORDS;
}

/** Writes the flags and the shape of one input at `word`. Returns the word after them. */
export function writeInput(
  mail: Float64Array,
  word: number,
  dims: readonly number[],
  flags: number,
): number {
  mail[word + INPUT_FLAGS] = flags;
  mail[word + INPUT_RANK] = dims.length;
  word += INPUT_WORDS;
  for (let axis = 0; axis < dims.length; axis++) {
    const size = dims[axis];
    // The addon refuses NaN; a bigint would throw here.
    mail[word++] = typeof size === 'number' ? size : Number.NaN;
  }
  return word;
}

/** Writes that the request leaves out a mask. Returns the word after it. */
export function writeAbsent(mail: Float64Array, word: number): number {
  mail[word + INPUT_FLAGS] = 0;
  mail[word + INPUT_RANK] = INPUT_LEFT_OUT;
  return word + INPUT_WORDS;
}

/** The functions of the addon that return what a record itself does not hold. */
type Outputs = Pick<NativeEngine, 'mailbox' | 'message' | 'packedStrings' | 'strings' | 'take'>;

/** Which outputs of a request are read, and how. */
export interface WantedOutputs {
  /** Their names; undefined means all. */
  readonly outputs: readonly string[] | undefined;
  readonly packStrings: boolean;
  /** Whether the one output that is wanted is pooled. */
  readonly pooled: boolean;
}

/** Reads finished requests from the mailbox one after another. */
export class RecordReader {
  readonly #native: Outputs;
  readonly #mail: Float64Array;
  readonly #views: ElementViews;
  #word = 0;
  /** Where the next record starts, which does not depend on how much of this one has been read. */
  #end = 0;

  slot = 0;
  code = 0;
  retained = false;
  /** The request ran alone and came back with another number of rows. */
  otherRows = false;
  #outputs = 0;
  #header = 0;

  constructor(native: Outputs, mail: Float64Array) {
    this.#native = native;
    this.#mail = mail;
    this.#views = new ElementViews(native.mailbox);
  }

  rewind(): void {
    this.#end = 0;
  }

  /** Reads the header of the next record. */
  next(): void {
    const mail = this.#mail;
    const word = this.#end;
    this.#header = word;
    this.slot = mail[word + RECORD_SLOT]!;
    this.code = mail[word + RECORD_CODE]!;
    const flags = mail[word + RECORD_FLAGS]!;
    this.retained = (flags & FLAG_RETAINED) !== 0;
    this.otherRows = (flags & FLAG_OTHER_ROWS) !== 0;
    this.#outputs = mail[word + RECORD_OUTPUTS]!;
    this.#word = word + RECORD_WORDS;
    this.#end = word + mail[word + RECORD_LENGTH]!;
  }

  #timings(): Timings {
    const mail = this.#mail;
    const word = this.#header;
    return {
      batchRows: mail[word + RECORD_ROWS]!,
      batchRequests: mail[word + RECORD_REQUESTS]!,
      queueMs: mail[word + RECORD_QUEUE_MS]!,
      computeMs: mail[word + RECORD_COMPUTE_MS]!,
    };
  }

  error(): MillraceError {
    return new MillraceError(errorCode(this.code), this.#native.message(this.slot));
  }

  /**
   * Reads the outputs of the record; those that are not wanted are left out. Whatever the type of a pooled output is in the
   * model, it is float32 here.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT` for strings that are not UTF-8, and `RESOURCE_EXHAUSTED` for an
   * output that does not fit into memory.
   */
  result(
    specs: readonly TensorSpec[],
    { outputs: wanted, packStrings, pooled }: WantedOutputs,
  ): RunResult {
    const mail = this.#mail;
    const outputs: Record<string, Tensor> = {};
    let packedStrings: Record<string, PackedTensor> | undefined;
    let undecodable: string | undefined;
    for (let index = 0; index < this.#outputs; index++) {
      const { name, type: own } = specs[index]!;
      const type = pooled ? 'float32' : own;
      const bytes = mail[this.#word + OUTPUT_BYTES]!;
      const rank = mail[this.#word + OUTPUT_RANK]!;
      this.#word += OUTPUT_WORDS;
      const dims: number[] = [];
      let elements = 1;
      for (let axis = 0; axis < rank; axis++) {
        const size = mail[this.#word++]!;
        dims.push(size);
        elements *= size;
      }
      if (wanted === undefined || wanted.includes(name)) {
        if (type === 'string' && packStrings) {
          const data = new Uint8Array(this.#native.packedStrings(this.slot, index));
          packedStrings ??= {};
          packedStrings[name] = { type, dims, data };
        } else {
          const data =
            bytes !== OUTPUT_FETCHED
              ? this.#inline(type, elements)
              : this.#fetch(index, name, type, elements);
          if (data === null) undecodable = name;
          outputs[name] = { type, dims, data } as Tensor;
        }
      }
      if (bytes > 0) this.#word += (bytes + 7) >> 3;
    }
    if (undecodable !== undefined) {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `Output ${quote(undecodable)} holds bytes that are not UTF-8, which a string cannot hold: ask for them as binary data`,
      );
    }
    const timings = this.#timings();
    return packedStrings === undefined ? { outputs, timings } : { outputs, packedStrings, timings };
  }

  #inline(type: ElementType, elements: number): unknown {
    // The elements are copied, because the next call overwrites the mailbox.
    return this.#views.copy(type as Exclude<ElementType, 'string'>, this.#word * 8, elements);
  }

  #fetch(index: number, name: string, type: ElementType, elements: number): unknown {
    if (type === 'string') return this.#native.strings(this.slot, index);
    const target = allocate(name, type, elements);
    this.#native.take(this.slot, index, target);
    return target;
  }
}

function allocate(name: string, type: Exclude<ElementType, 'string'>, elements: number) {
  try {
    return new elementArrays[type](elements);
  } catch (cause) {
    throw new MillraceError(
      'RESOURCE_EXHAUSTED',
      `Output ${quote(name)} does not fit into memory: send fewer rows`,
      { cause },
    );
  }
}
