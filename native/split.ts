/**
 * Requests larger than a batch: they are cut into parts that fit, and the outputs of the parts are joined.
 *
 * @module
 */

import { elementArrays } from './elements.ts';
import { MillraceError } from './errors.ts';
import { countPackedStrings, packedOffsets } from './packed-strings.ts';
import { poolOfRows } from './pooling.ts';
import type { RunOptions, RunResult } from './run-types.ts';
import type { ElementData, ElementType, PackedTensor, Tensor, Tensors } from './tensor-types.ts';

type Run = (inputs: Tensors, options: RunOptions) => Promise<RunResult>;

/**
 * Runs a request of `rows` rows in parts of `maxRows` rows, `concurrency` parts at a time so that one large
 * request leaves room in the queue for others. A part that the queue refuses is run again when an earlier one
 * has ended. The first failure cancels the other parts and rejects the promise. Timings are those of the part
 * that took longest. Returns undefined if the outputs of a part have another number of rows than its inputs,
 * because the request then cannot be cut.
 */
export async function runInParts(
  run: Run,
  inputs: Tensors,
  options: RunOptions,
  rows: number,
  maxRows: number,
  concurrency: number,
): Promise<RunResult | undefined> {
  const over = new AbortController();
  const { transfer: _, signal, ...others } = options;
  // AbortSignal.any() takes only real signals, while a CancelSignal needs no more than a listener.
  const abort = () => over.abort(signal?.reason);
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort);
  const partOptions: RunOptions = { ...others, signal: over.signal };
  // Only a positive timeout is counted down for each part; the channel refuses a wrong one.
  const { timeoutMs } = options;
  const ended =
    typeof timeoutMs === 'number' && timeoutMs > 0 ? performance.now() + timeoutMs : undefined;
  const cuts = Object.entries(inputs).map(([name, input]) => [name, cutterOf(input)] as const);
  const slice = (first: number, count: number): Tensors =>
    Object.fromEntries(cuts.map(([name, cut]) => [name, cut(first, count)]));
  const parts: RunResult[] = new Array(Math.ceil(rows / maxRows));
  const refused: number[] = [];
  let next = 0;
  let working = 0;
  const work = async () => {
    working++;
    while (refused.length > 0 || next < parts.length) {
      const index = refused.pop() ?? next++;
      const first = index * maxRows;
      const part = slice(first, Math.min(maxRows, rows - first));
      if (options.pool !== undefined) {
        partOptions.pool = poolOfRows(options.pool, first, first + maxRows, rows);
      }
      if (ended !== undefined) partOptions.timeoutMs = Math.max(ended - performance.now(), 0);
      try {
        parts[index] = await run(part, partOptions);
      } catch (reason) {
        // The request's own parts may fill the queue: a worker that waits for one of them runs this part later.
        if (!isUnavailable(reason) || working === 1) throw reason;
        refused.push(index);
        break;
      }
    }
    working--;
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, parts.length) }, work));
  } catch (reason) {
    over.abort(reason);
    throw reason;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  const whole = parts.every(({ outputs }, index) =>
    Object.values(outputs).every(
      ({ dims }) => dims[0] === Math.min(maxRows, rows - index * maxRows),
    ),
  );
  return whole ? join(parts, rows) : undefined;
}

/** Returns whether every input has `rows` rows of equal size. If not, `run` rejects the whole request with the reason. */
export function isSplittable(inputs: Tensors, rows: number): boolean {
  return Object.values(inputs).every((input) => {
    // The inputs have not been checked yet, so any part of them may have any type.
    const { type, dims, data }: Partial<Tensors[string]> = input ?? {};
    return (
      Array.isArray(dims) &&
      dims.every(Number.isSafeInteger) &&
      dims[0] === rows &&
      (type === 'string'
        ? countOfStrings(data) === product(dims)
        : ArrayBuffer.isView(data) &&
          'length' in data &&
          data.byteLength === product(dims) * bytesOf(type))
    );
  });
}

/** Returns the number of strings, or undefined if `data` is neither a list nor packed strings. */
function countOfStrings(data: unknown): number | undefined {
  if (Array.isArray(data)) return data.length;
  return data instanceof Uint8Array ? countPackedStrings(data) : undefined;
}

/** Returns `count` rows of an input from row `first` on. */
type Cut = (first: number, count: number) => Tensors[string];

function cutterOf({ type, dims, data }: Tensors[string]): Cut {
  const rows = dims[0]!;
  const cut = (first: number, count: number): Tensors[string]['data'] => {
    // The size is in elements, or in bytes if the elements are packed.
    const size = data.length / rows;
    const [from, to] = [first * size, (first + count) * size];
    return Array.isArray(data) ? data.slice(from, to) : (data as Uint8Array).subarray(from, to);
  };
  const cutData = type === 'string' && data instanceof Uint8Array ? packedCutter(data, rows) : cut;
  return (first, count) =>
    ({ type, dims: [count, ...dims.slice(1)], data: cutData(first, count) }) as Tensors[string];
}

/** Packed strings differ in size, so the offsets of the rows are looked up once. */
function packedCutter(packed: Uint8Array, rows: number) {
  const offsets = packedOffsets(packed)!;
  const size = (offsets.length - 1) / rows;
  return (first: number, count: number) =>
    packed.subarray(offsets[first * size], offsets[(first + count) * size]);
}

function join(parts: readonly RunResult[], rows: number): RunResult {
  const outputs: Record<string, Tensor> = {};
  const first = parts[0]!;
  for (const [name, { type, dims }] of Object.entries(first.outputs)) {
    const pieces = parts.map((part) => part.outputs[name]!.data);
    const data =
      type === 'string'
        ? (pieces as ElementData['string'][]).flat()
        : concat(type, pieces as Uint8Array[]);
    outputs[name] = { type, dims: [rows, ...dims.slice(1)], data } as Tensor;
  }
  const { timings } = parts.reduce((a, b) => (cost(b) > cost(a) ? b : a));
  if (first.packedStrings === undefined) return { outputs, timings };
  const packedStrings: Record<string, PackedTensor> = {};
  for (const [name, { type, dims }] of Object.entries(first.packedStrings)) {
    const pieces = parts.map((part) => part.packedStrings![name]!.data);
    packedStrings[name] = { type, dims: [rows, ...dims.slice(1)], data: concat('uint8', pieces) };
  }
  return { outputs, packedStrings, timings };
}

function concat(type: keyof typeof elementArrays, pieces: readonly Uint8Array[]) {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const whole = new elementArrays[type](length) as Uint8Array;
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const isUnavailable = (reason: unknown) =>
  reason instanceof MillraceError && reason.code === 'UNAVAILABLE';

const cost = ({ timings }: RunResult) => timings.queueMs + timings.computeMs;

/** Returns the bytes of an element, or NaN for an unknown type. */
const bytesOf = (type: ElementType | undefined) =>
  elementArrays[type as keyof typeof elementArrays]?.BYTES_PER_ELEMENT ?? Number.NaN;

const product = (dims: readonly number[]) => dims.reduce((size, dim) => size * dim, 1);
