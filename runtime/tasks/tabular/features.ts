/** @module Rows of features as lists: their layout in a model's input, and the check of every value. */

import type { ElementType, Tensor, TensorSpec } from '../../../native/index.ts';
import {
  createTensor,
  describeValue,
  type ElementCodec,
  type ElementStorage,
  elementCodec,
  elementCount,
  FLOAT32_LIMIT,
} from '../../elements.ts';
import { ServeError } from '../../errors.ts';

/** An input that takes features. Dimension 0 counts rows; the others together hold one row. */
export interface FeatureInput {
  readonly name: string;
  readonly type: ElementType;
  readonly codec: ElementCodec;
  /** Dimensions of one row, without the row dimension; `[-1]` if the file leaves the width open. */
  readonly rowDims: readonly number[];
  /** Number of values of a row; -1 if the file leaves it open. */
  readonly width: number;
  /** Dimensions of a tensor of one row, if they are known. The usual request needs no others. */
  readonly oneRow: readonly number[];
  /** Names of the features in order, for messages; empty when unknown. */
  readonly features: readonly string[];
}

/** Maximum runs of one request. */
const MAX_RUNS = 256;

/**
 * The layout of features in an input.
 *
 * @param nullIsNaN Whether `null` is a missing value if the input holds floats.
 * @throws {ServeError} `INVALID_CONFIG` with a reason for an input that is not a table of features.
 */
export function featureInput(
  spec: TensorSpec,
  features: readonly string[],
  nullIsNaN: boolean,
): FeatureInput {
  const { name, type } = spec;
  const [rows, ...rowDims] = spec.dims;
  if (rows === undefined) {
    throw unsuitable(`input '${name}' is a scalar and has no dimension for rows`);
  }
  if (rows !== -1 && rows !== 1) {
    throw unsuitable(`input '${name}' takes exactly ${rows} rows, expected 1 or any number`);
  }
  const open = rowDims.filter((dim) => dim === -1).length;
  if (open > 1 || (open === 1 && rowDims.length > 1)) {
    throw unsuitable(`input '${name}' leaves the shape of a row open`);
  }
  const width = open === 1 ? -1 : elementCount(rowDims);
  if (features.length > 0 && width !== -1 && features.length !== width) {
    throw unsuitable(`"features" names ${features.length} values, a row has ${width}`);
  }
  const codec = elementCodec(type, nullIsNaN);
  return { name, type, codec, rowDims, width, oneRow: [1, ...rowDims], features };
}

/**
 * Checks a request's features and lays them out for the model.
 *
 * @param features One row (a list of values) or many (a list of such lists), as parsed from JSON.
 * @param together Whether a run takes several rows.
 * @returns One tensor of all rows, or one tensor for each row.
 * @throws {ServeError} `INVALID_ARGUMENT`, with the path of the first value that does not fit.
 */
export function featureTensors(
  input: FeatureInput,
  features: readonly unknown[],
  together: boolean,
): readonly Tensor[] {
  if (!Array.isArray(features[0])) return [rowTensor(input, features, 'features')];
  return together ? [tableTensor(input, features)] : oneTensorPerRow(input, features);
}

/** @throws {ServeError} `INVALID_ARGUMENT` for more rows than a request may have runs. */
export function limitRuns(rows: number): void {
  if (rows <= MAX_RUNS) return;
  throw new ServeError(
    'INVALID_ARGUMENT',
    `features has ${rows} rows; this model takes one row a run, send at most ${MAX_RUNS} at once.`,
  );
}

function rowTensor(input: FeatureInput, row: readonly unknown[], path: string): Tensor {
  const data = newData(input, rowWidth(input, row, path));
  fillRow(input, data, 0, row, path);
  return createTensor(input.type, input.width === -1 ? [1, data.length] : input.oneRow, data);
}

function tableTensor(input: FeatureInput, rows: readonly unknown[]): Tensor {
  const width = rowWidth(input, rows[0] as unknown[], 'features[0]');
  const data = newData(input, rows.length * width);
  for (let r = 0; r < rows.length; r += 1) {
    const row = asRow(rows[r], r);
    const path = `features[${r}]`;
    if (row.length !== width) throw wrongWidth(input, row.length, width, path);
    fillRow(input, data, r * width, row, path);
  }
  const rowDims = input.width === -1 ? [width] : input.rowDims;
  return createTensor(input.type, [rows.length, ...rowDims], data);
}

function oneTensorPerRow(input: FeatureInput, rows: readonly unknown[]): readonly Tensor[] {
  limitRuns(rows.length);
  return rows.map((row, r) => rowTensor(input, asRow(row, r), `features[${r}]`));
}

function asRow(value: unknown, index: number): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new ServeError(
    'INVALID_ARGUMENT',
    `features[${index}] must be a list like the rows before it, got ${describeValue(value)}.`,
  );
}

/** The width of this row, which must be the model's if the model fixes it. */
function rowWidth(input: FeatureInput, row: readonly unknown[], path: string): number {
  if (input.width === -1 ? row.length > 0 : row.length === input.width) return row.length;
  throw wrongWidth(input, row.length, input.width, path);
}

function wrongWidth(input: FeatureInput, got: number, width: number, path: string): ServeError {
  const expected = width === -1 ? 'at least 1' : `${width}`;
  const names = input.features.length > 0 ? ` (${input.features.join(', ')})` : '';
  return new ServeError(
    'INVALID_ARGUMENT',
    `${path} has ${got} ${got === 1 ? 'value' : 'values'}, expected ${expected}${names}.`,
  );
}

function newData({ type, codec }: FeatureInput, length: number): ElementStorage {
  return type === 'float32' ? new Float32Array(length) : codec.allocate(length);
}

function fillRow(
  input: FeatureInput,
  data: ElementStorage,
  offset: number,
  row: readonly unknown[],
  path: string,
): void {
  // Nearly every model takes float32: this loop keeps its values unboxed.
  if (data instanceof Float32Array) {
    for (let i = 0; i < row.length; i += 1) {
      const value = row[i];
      data[offset + i] =
        typeof value === 'number' && value < FLOAT32_LIMIT && value > -FLOAT32_LIMIT
          ? value
          : Number(encoded(input, value, i, path));
    }
    return;
  }
  for (let i = 0; i < row.length; i += 1) data[offset + i] = encoded(input, row[i], i, path);
}

function encoded(input: FeatureInput, value: unknown, index: number, path: string) {
  const element = input.codec.encode(value);
  if (element !== undefined) return element;
  const name = input.features[index];
  throw wrongValue(input, value, `${path}[${index}]${name === undefined ? '' : ` (${name})`}`);
}

export function wrongValue({ codec }: FeatureInput, value: unknown, path: string): ServeError {
  return new ServeError(
    'INVALID_ARGUMENT',
    `${path} must be ${codec.expected}, got ${describeValue(value)}.`,
  );
}

export function unsuitable(reason: string): ServeError {
  return new ServeError('INVALID_CONFIG', `The model does not take rows of features: ${reason}.`);
}
