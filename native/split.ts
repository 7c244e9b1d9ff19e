/**
 * Requests larger than a batch: cut into parts that fit, run, joined again.
 *
 * @module
 */

import { elementArrays } from './elements.ts';
import { MillraceError } from './errors.ts';
import { countPackedStrings, packedOffsets } from './packed-strings.ts';
import type {
  ElementData,
  ElementType,
  PackedTensor,
  RunOptions,
  RunResult,
  Tensor,
  Tensors,
} from './types.ts';

type Run = (inputs: Tensors, options: RunOptions) => Promise<RunResult>;

/**
 * Runs `rows` rows in parts of `maxRows` rows, `concurrency` parts at a time so that one large request
 * leaves room in the queue for others. A part the queue refuses waits for those before it. The first
 * failure cancels the rest and is the failure of the whole. Timings are those of the part that took longest.
 * Undefined where a part has another number of rows in its outputs: the request cannot be cut.
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
  const { transfer: _, signal, ...terms } = options;
  // Not AbortSignal.any(), which only takes real signals: a listener is all that the engine asks of one.
  const abort = () => over.abort(signal?.reason);
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort);
  const partOptions: RunOptions = { ...terms, signal: over.signal };
  // Only what is a time to come counts down; anything else is the engine's to refuse.
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
      if (ended !== undefined) partOptions.timeoutMs = Math.max(ended - performance.now(), 0);
      try {
        parts[index] = await run(part, partOptions);
      } catch (reason) {
        // It may be the request's own parts that fill the queue: whoever waits for one runs this too.
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

/** Whether every input has `rows` rows of equal size; if not, the engine itself says what is wrong. */
export function isSplittable(inputs: Tensors, rows: number): boolean {
  return Object.values(inputs).every((input) => {
    // Nothing has been checked yet, so any of it may be of any kind.
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

/** How many strings there are; undefined where it is neither a list nor packed strings. */
function countOfStrings(data: unknown): number | undefined {
  if (Array.isArray(data)) return data.length;
  return data instanceof Uint8Array ? countPackedStrings(data) : undefined;
}

/** What cuts an input to `count` rows from row `first` on. */
type Cut = (first: number, count: number) => Tensors[string];

function cutterOf({ type, dims, data }: Tensors[string]): Cut {
  const rows = dims[0]!;
  const cut = (first: number, count: number): Tensors[string]['data'] => {
    // Of packed numbers these are bytes.
    const size = data.length / rows;
    const [from, to] = [first * size, (first + count) * size];
    return Array.isArray(data) ? data.slice(from, to) : (data as Uint8Array).subarray(from, to);
  };
  const cutData = type === 'string' && data instanceof Uint8Array ? packedCutter(data, rows) : cut;
  return (first, count) =>
    ({ type, dims: [count, ...dims.slice(1)], data: cutData(first, count) }) as Tensors[string];
}

/** Strings differ in size, so where the rows start is looked up once. */
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

/** NaN for a type that there is not. */
const bytesOf = (type: ElementType | undefined) =>
  elementArrays[type as keyof typeof elementArrays]?.BYTES_PER_ELEMENT ?? Number.NaN;

const product = (dims: readonly number[]) => dims.reduce((size, dim) => size * dim, 1);
