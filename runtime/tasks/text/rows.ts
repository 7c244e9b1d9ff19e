/**
 * Lays windows of tokens out as rows of runs, and finds the outputs of each window again. Rows of similar length share a run,
 * so that little is computed for padding; runs are small, because the engine joins those of all requests to batches.
 *
 * @module
 */

import type { Tensor, Tensors } from '../../../native/index.ts';
import { invalidArgument } from '../../errors.ts';
import { floatsOfHalves } from '../../half-floats.ts';
import { ShortTurns } from '../../short-turns.ts';
import type { TextInputs, TextModel } from '../../text/text-model.ts';
import type { TokenWindow } from '../../text/tokenizer/index.ts';
import type { TaskResult } from '../task.ts';
import { TURN_MS } from './texts.ts';

/** The most rows of a run. */
const MAX_ROWS = 16;
/** The most tokens of a run, padding included, unless one row has more. */
const MAX_TOKENS = 1024;
/** Rows whose lengths are in the same interval share a run: up to 16, up to 32, up to 64 and so on. */
const SHORTEST = 16;

/** Where a window is: the run, and the row of the run. */
interface Place {
  readonly run: number;
  readonly row: number;
}

/** Windows as rows of runs. */
export interface Rows {
  readonly runs: readonly Tensors[];
  /** The windows of each run in the order of its rows, as indices. */
  readonly groups: readonly (readonly number[])[];
  /** In the order of the windows. */
  readonly places: readonly Place[];
}

/** Several windows as rows. */
export async function layOut(
  { inputs, batched }: TextModel,
  windows: readonly TokenWindow[],
): Promise<Rows> {
  const turns = new ShortTurns(TURN_MS);
  const runs: Tensors[] = [];
  const places = new Array<Place>(windows.length);
  const groups = groupsOf(windows, batched, inputs.length);
  for (const group of groups) {
    group.forEach((index, row) => {
      places[index] = { run: runs.length, row };
    });
    const rows = group.map((index) => windows[index]!);
    runs.push(tensorsOf(rows, inputs));
    await turns.pause();
  }
  return { runs, groups, places };
}

/** The windows of each run, as indices. */
function groupsOf(
  windows: readonly TokenWindow[],
  batched: boolean,
  only: number | undefined,
): number[][] {
  if (!batched) return windows.map((_, index) => [index]);
  const lengthOf = (index: number) => only ?? Math.max(windows[index]!.ids.length, 1);
  const order = Array.from(windows.keys()).sort((a, b) => lengthOf(b) - lengthOf(a));
  const groups: number[][] = [];
  let group: number[] = [];
  for (const index of order) {
    const longest = group.length === 0 ? 0 : lengthOf(group[0]!);
    const fits = group.length < MAX_ROWS && (group.length + 1) * longest <= MAX_TOKENS;
    if (group.length === 0 || !fits || interval(lengthOf(index)) !== interval(longest)) {
      group = [];
      groups.push(group);
    }
    group.push(index);
  }
  return groups;
}

const interval = (length: number): number => Math.max(Math.ceil(Math.log2(length / SHORTEST)), 0);

function tensorsOf(rows: readonly TokenWindow[], inputs: TextInputs): Tensors {
  const { type, padId, ids, mask, types, positions } = inputs;
  // A text without tokens is a row of padding that the model reads, because it cannot run without tokens.
  const lengthOf = (row: TokenWindow) => Math.max(row.ids.length, 1);
  const longest = Math.max(...rows.map(lengthOf));
  const layer = (pad: number, valuesOf: (row: TokenWindow) => Int32Array) =>
    tensorOf(type, rows.map(valuesOf), inputs.length ?? longest, pad);
  const tensors: Record<string, Tensor> = { [ids]: layer(padId, (row) => row.ids) };
  if (mask !== undefined) {
    const ones = new Int32Array(longest).fill(1);
    tensors[mask] = layer(0, (row) => ones.subarray(0, lengthOf(row)));
  }
  if (types !== undefined) tensors[types] = layer(0, (row) => row.typeIds);
  if (positions !== undefined) {
    const places = Int32Array.from({ length: longest }, (_, i) => i);
    tensors[positions] = layer(0, (row) => places.subarray(0, lengthOf(row)));
  }
  return tensors;
}

/** A tensor of rows, each padded to `length`. */
function tensorOf(
  type: TextInputs['type'],
  rows: readonly Int32Array[],
  length: number,
  pad: number,
): Tensor {
  // Only the low half of an int64 is written, because a BigInt for each would take much longer. No value is negative.
  const step = type === 'int64' ? 2 : 1;
  const words = new Int32Array(rows.length * length * step);
  rows.forEach((row, index) => {
    const start = index * length;
    for (let i = 0; i < row.length; i += 1) words[(start + i) * step] = row[i]!;
    if (pad !== 0) {
      for (let i = row.length; i < length; i += 1) words[(start + i) * step] = pad;
    }
  });
  const dims = [rows.length, length];
  return type === 'int64'
    ? { type, dims, data: new BigInt64Array(words.buffer) }
    : { type, dims, data: words };
}

/** The numbers of one row of an output. */
export interface RowOutput {
  readonly data: Float32Array;
  /** The shape of the row: `[labels]`, or `[tokens, labels]`, where tokens may include padding. */
  readonly dims: readonly number[];
}

/** The output that the task of the model reads, by window. */
export class RowOutputs {
  readonly #places: readonly Place[];
  readonly #tensors: readonly Tensor[];

  /** @throws {ServeError} `INVALID_ARGUMENT` if an output has another number of rows than its run. */
  constructor(model: TextModel, { groups, places }: Rows, results: readonly TaskResult[]) {
    this.#places = places;
    this.#tensors = results.map((result, run) => outputOf(model, result, groups[run]!.length));
  }

  of(window: number): RowOutput {
    const { run, row } = this.#places[window]!;
    return rowOf(this.#tensors[run]!, row);
  }
}

/** The output that the task reads. @throws {ServeError} `INVALID_ARGUMENT` if it does not have one row for each text. */
function outputOf({ output }: TextModel, { outputs }: TaskResult, rows: number): Tensor {
  const tensor = outputs[output]!;
  if (tensor.dims.length > 1 && tensor.dims[0] === rows) return tensor;
  throw invalidArgument(
    `Output '${output}' of the model has the shape [${tensor.dims}] for ${rows} texts, so that the results of texts cannot be distinguished.`,
  );
}

/** One row of an output of float32 or float16. Nothing may write to its numbers, which may be those of the output. */
function rowOf({ type, data, dims }: Tensor, row: number): RowOutput {
  const size = data.length / dims[0]!;
  const [start, end] = [row * size, (row + 1) * size];
  // Not a copy: a row of vectors of tokens has up to a few hundred thousand numbers.
  const own =
    type === 'float16'
      ? floatsOfHalves(data.subarray(start, end))
      : (data as Float32Array).subarray(start, end);
  return { data: own, dims: dims.slice(1) };
}
