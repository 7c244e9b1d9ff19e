/** @module From a model's signature to tensors: how rows of features lie in its input, and the check of every value. */

import type { ElementType, Signature, Tensor, TensorSpec } from '../../../native/index.ts';
import { describeValue, type ElementStorage, elementCodecs, MAX_FLOAT32 } from '../../elements.ts';
import { ServeError } from '../../errors.ts';

/** The one input that takes the features. Dimension 0 counts rows; the others together hold one row. */
export interface FeatureInput {
  readonly name: string;
  readonly type: ElementType;
  /** Dimensions of one row, without the row dimension; `[-1]` where the file leaves the width open. */
  readonly rowDims: readonly number[];
  /** Values a row has, or -1 where the file leaves it open. */
  readonly width: number;
  /** Dimensions of a tensor of one row, where they are known: the usual request needs no others. */
  readonly oneRow: readonly number[];
  /** Whether a run takes exactly one row, because dimension 0 is fixed at 1. */
  readonly singleRow: boolean;
  /** Names of the features in order, for messages; empty when unknown. */
  readonly features: readonly string[];
}

const MAX_SINGLE_ROW_REQUEST = 256;

/**
 * Finds the input that rows of features go to.
 *
 * @param wanted Name of the input, where the model's configuration gives one.
 * @throws {ServeError} `INVALID_CONFIG` with a reason for a model whose inputs are not a table of features.
 */
export function featureInput(
  signature: Signature,
  wanted?: string,
  features: readonly string[] = [],
): FeatureInput {
  const spec = onlyInput(signature, wanted);
  const [rows, ...rowDims] = spec.dims;
  if (rows === undefined) {
    throw unsuitable(`input "${spec.name}" is a scalar and has no dimension for rows`);
  }
  if (rows !== -1 && rows !== 1) {
    throw unsuitable(`input "${spec.name}" takes exactly ${rows} rows, expected 1 or any number`);
  }
  const open = rowDims.filter((dim) => dim === -1).length;
  if (open > 1 || (open === 1 && rowDims.length > 1)) {
    throw unsuitable(`input "${spec.name}" leaves the shape of a row open`);
  }
  if (elementCodecs[spec.type] === undefined) {
    throw unsuitable(`input "${spec.name}" holds ${spec.type}, which JSON numbers cannot fill`);
  }
  const width = open === 1 ? -1 : rowDims.reduce((product, dim) => product * dim, 1);
  if (features.length > 0 && width !== -1 && features.length !== width) {
    throw unsuitable(`"features" names ${features.length} values, a row has ${width}`);
  }
  const oneRow = [1, ...rowDims];
  return {
    name: spec.name,
    type: spec.type,
    rowDims,
    width,
    oneRow,
    singleRow: rows === 1,
    features,
  };
}

function onlyInput(signature: Signature, wanted: string | undefined): TensorSpec {
  const found = signature.inputs.filter((input) => wanted === undefined || input.name === wanted);
  if (wanted !== undefined && found.length === 0) {
    throw unsuitable(`it has no input "${wanted}", only ${quoteAll(signature.inputs)}`);
  }
  if (signature.inputs.length !== 1) {
    throw unsuitable(`rows of features need one input, it has ${quoteAll(signature.inputs)}`);
  }
  return found[0]!;
}

/**
 * Checks a request's features and lays them out for the model.
 *
 * @param features One row (a list of values) or many (a list of such lists), as parsed from JSON.
 * @returns One tensor of all rows, or one tensor a row where a run takes a single row.
 * @throws {ServeError} `INVALID_ARGUMENT`, with the path of the first value that does not fit.
 */
export function featureTensors(
  input: FeatureInput,
  features: readonly unknown[],
): readonly Tensor[] {
  if (!Array.isArray(features[0])) return [rowTensor(input, features, 'features')];
  return input.singleRow ? oneTensorPerRow(input, features) : [tableTensor(input, features)];
}

function rowTensor(input: FeatureInput, row: readonly unknown[], path: string): Tensor {
  const data = newData(input, rowWidth(input, row, path));
  fillRow(input, data, 0, row, path);
  return tensor(input, input.width === -1 ? [1, data.length] : input.oneRow, data);
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
  return tensor(input, [rows.length, ...rowDims], data);
}

function oneTensorPerRow(input: FeatureInput, rows: readonly unknown[]): readonly Tensor[] {
  if (rows.length > MAX_SINGLE_ROW_REQUEST) {
    throw new ServeError(
      'INVALID_ARGUMENT',
      `features has ${rows.length} rows; this model takes one row a run, send at most ${MAX_SINGLE_ROW_REQUEST} at once.`,
    );
  }
  return rows.map((row, r) => rowTensor(input, asRow(row, r), `features[${r}]`));
}

function asRow(value: unknown, index: number): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new ServeError(
    'INVALID_ARGUMENT',
    `features[${index}] must be a list like the rows before it, got ${describeValue(value)}.`,
  );
}

/** The width of this row, which is the model's where the model has one. */
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

function newData(input: FeatureInput, length: number): ElementStorage {
  return input.type === 'float32'
    ? new Float32Array(length)
    : elementCodecs[input.type]!.allocate(length);
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
      if (typeof value !== 'number' || !(value <= MAX_FLOAT32 && value >= -MAX_FLOAT32)) {
        throw wrongValue(input, value, i, path);
      }
      data[offset + i] = value;
    }
    return;
  }
  const { encode } = elementCodecs[input.type]!;
  for (let i = 0; i < row.length; i += 1) {
    const value = encode(row[i]);
    if (value === undefined) throw wrongValue(input, row[i], i, path);
    data[offset + i] = value;
  }
}

function wrongValue(input: FeatureInput, value: unknown, index: number, path: string): ServeError {
  const name = input.features[index];
  return new ServeError(
    'INVALID_ARGUMENT',
    `${path}[${index}]${name === undefined ? '' : ` (${name})`} must be ${elementCodecs[input.type]!.expected}, got ${describeValue(value)}.`,
  );
}

function tensor(input: FeatureInput, dims: readonly number[], data: ElementStorage): Tensor {
  return { type: input.type, dims, data } as unknown as Tensor;
}

function unsuitable(reason: string): ServeError {
  return new ServeError('INVALID_CONFIG', `The model does not take rows of features: ${reason}.`);
}

function quoteAll(specs: readonly TensorSpec[]): string {
  return specs.map((spec) => `"${spec.name}"`).join(', ');
}
