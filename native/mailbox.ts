/**
 * Layout of the mailbox, the array of doubles through which a call to the addon passes its arguments
 * and its answers. The other side is addon/convert.cc (requests) and addon/completion.cc (records).
 *
 * A request: timeout in nanoseconds (-1: none), priority, how to start (`Start`), then for each input of the signature:
 * borrow (0 or 1), rank (-1: left out, as masks may be), dimensions.
 *
 * A record: slot, code, retained (0 or 1), rows and requests of the batch, queue and compute time in
 * milliseconds, number of outputs, then for each output: bytes that follow (-1: fetch it), rank,
 * dimensions, the bytes padded to whole words.
 *
 * Why: .github/decisions/0002-a-mailbox-instead-of-arguments.md
 *
 * @module
 */

import type { NativeEngine } from './binding.ts';
import { elementArrays } from './elements.ts';
import { MillraceError, type MillraceErrorCode } from './errors.ts';
import { quote } from './quote.ts';
import type { ElementType, PackedTensor, RunResult, Tensor, TensorSpec, Timings } from './types.ts';

/** In the order of the enum `Code` in batching/status.h. */
const CODES: readonly MillraceErrorCode[] = [
  'INTERNAL', // 0 is OK and never looked up
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'UNIMPLEMENTED',
  'UNAVAILABLE',
  'INTERNAL',
];

export function errorCode(number: number): MillraceErrorCode {
  return CODES[number] ?? 'INTERNAL';
}

/** How a request is to start. */
export const LATER = 0;
export const WAKE = 1;
/** On this thread, if the addon finds that quickest. */
export const AT_ONCE = 2;
export type Start = typeof LATER | typeof WAKE | typeof AT_ONCE;

/** Whether the request just submitted has run already, so that its answer can be drained. */
export function isDone(mail: Float64Array): boolean {
  return mail[2] === 3;
}

/** Starts a request. Returns the word at which its inputs follow. */
export function writeTerms(
  mail: Float64Array,
  timeoutMs: number | undefined,
  priority: number,
  start: Start,
): number {
  mail[0] = timeoutMs === undefined ? -1 : timeoutMs * 1e6;
  mail[1] = priority;
  mail[2] = start;
  return 3;
}

/** Writes one input's terms at `word` and returns the word after them. */
export function writeInput(
  mail: Float64Array,
  word: number,
  dims: readonly number[],
  borrow: boolean,
): number {
  mail[word++] = borrow ? 1 : 0;
  mail[word++] = dims.length;
  for (let axis = 0; axis < dims.length; axis++) {
    const size = dims[axis];
    // The addon refuses NaN; a bigint would throw here.
    mail[word++] = typeof size === 'number' ? size : Number.NaN;
  }
  return word;
}

/** Writes that a mask was left out, and returns the word after it. */
export function writeAbsent(mail: Float64Array, word: number): number {
  mail[word] = 0;
  mail[word + 1] = -1;
  return word + 2;
}

/** Reads finished requests from the mailbox one after another. */
export class RecordReader {
  readonly #native: NativeEngine;
  readonly #mail: Float64Array;
  readonly #views: Partial<Record<ElementType, Uint8Array>> = {};
  #word = 0;

  slot = 0;
  code = 0;
  retained = false;
  /** The request ran alone and came back with another number of rows. */
  otherRows = false;
  #outputs = 0;
  #header = 0;

  constructor(native: NativeEngine, mail: Float64Array) {
    this.#native = native;
    this.#mail = mail;
  }

  rewind(): void {
    this.#word = 0;
  }

  /** Reads the head of the next record. `result` or `skip` must follow. */
  next(): void {
    const mail = this.#mail;
    const word = this.#word;
    this.#header = word;
    this.slot = mail[word]!;
    this.code = mail[word + 1]!;
    this.retained = (mail[word + 2]! & 1) !== 0;
    this.otherRows = (mail[word + 2]! & 2) !== 0;
    this.#outputs = mail[word + 7]!;
    this.#word = word + 8;
  }

  #timings(): Timings {
    const mail = this.#mail;
    const word = this.#header;
    return {
      batchRows: mail[word + 3]!,
      batchRequests: mail[word + 4]!,
      queueMs: mail[word + 5]!,
      computeMs: mail[word + 6]!,
    };
  }

  error(): MillraceError {
    return new MillraceError(errorCode(this.code), this.#native.message(this.slot));
  }

  /**
   * Reads the rest of the record; outputs not in `wanted` are left out.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT`, with the record read, for strings that are not UTF-8.
   */
  result(
    specs: readonly TensorSpec[],
    wanted: readonly string[] | undefined,
    packStrings: boolean,
  ): RunResult {
    const mail = this.#mail;
    const outputs: Record<string, Tensor> = {};
    let packedStrings: Record<string, PackedTensor> | undefined;
    let undecodable: string | undefined;
    for (let index = 0; index < this.#outputs; index++) {
      const { name, type } = specs[index]!;
      const bytes = mail[this.#word++]!;
      const rank = mail[this.#word++]!;
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
            bytes >= 0 ? this.#inline(type, elements) : this.#fetch(index, type, elements);
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

  /** Passes over the outputs of a record that nobody waits for. */
  skip(): void {
    for (let index = 0; index < this.#outputs; index++) {
      const bytes = this.#mail[this.#word++]!;
      this.#word += 1 + this.#mail[this.#word]!;
      if (bytes > 0) this.#word += (bytes + 7) >> 3;
    }
  }

  #inline(type: ElementType, elements: number): unknown {
    const view = this.#view(type as Exclude<ElementType, 'string'>);
    const start = (this.#word * 8) / view.BYTES_PER_ELEMENT;
    // A copy: the mailbox is overwritten by the next call.
    return view.slice(start, start + elements);
  }

  /** The mailbox as elements of a type. Kept, because making a view of memory outside the heap is slow. */
  #view(type: Exclude<ElementType, 'string'>): Uint8Array {
    this.#views[type] ??= new elementArrays[type](this.#mail.buffer as ArrayBuffer) as Uint8Array;
    return this.#views[type];
  }

  #fetch(index: number, type: ElementType, elements: number): unknown {
    if (type === 'string') return this.#native.strings(this.slot, index);
    const target = new elementArrays[type](elements);
    this.#native.take(this.slot, index, target);
    return target;
  }
}
