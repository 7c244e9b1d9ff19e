/** @module The inputs of the runs that are made before a version serves. */

import {
  countPackedStrings,
  elementArrays,
  type PackedTensor,
  type Signature,
  type Tensor,
  type TensorSpec,
  type Tensors,
} from '../native/index.ts';
import { elementCount } from './elements.ts';
import { ServeError } from './errors.ts';
import type { Warmup, WarmupInput } from './repository/index.ts';
import { checkTensor } from './validate-config.ts';

/** One row of zeros. Each dimension that the model leaves open is 1. */
export function zeroRow({ inputs }: Signature): Tensors {
  return Object.fromEntries(
    inputs.map((spec) => {
      const dims = spec.dims.map((size) => (size === -1 ? 1 : size));
      return [
        spec.name,
        { type: spec.type, dims, data: zeros(spec.type, elementCount(dims)) } as Tensor,
      ];
    }),
  );
}

/**
 * The inputs that a warm-up describes.
 *
 * @param mostRows Maximum rows of a run if its dims omit the batch dimension; else 0.
 * @throws {ServeError} `INVALID_CONFIG` if it does not fit the model.
 */
export function warmupInputs(warmup: Warmup, signature: Signature, mostRows: number): Tensors {
  const { name, rows } = warmup;
  const batched = mostRows > 0;
  try {
    const most = Math.max(mostRows, 1);
    if (rows > most) throw invalid(`batch_size is ${rows}, but the model takes at most ${most}`);
    const missing = signature.inputs.find(
      (spec) => !warmup.inputs.some((i) => i.name === spec.name),
    );
    if (missing !== undefined) throw invalid(`the input ${missing.name} is missing`);
    return Object.fromEntries(
      warmup.inputs.map((input) => {
        const spec = checkTensor('input', input, signature.inputs, batched);
        return [spec.name, toTensor(spec, input, rows, batched)];
      }),
    );
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    throw invalid(`model_warmup '${name}': ${error.message}`);
  }
}

function toTensor(
  spec: TensorSpec,
  input: WarmupInput,
  rows: number,
  batched: boolean,
): Tensors[string] {
  const { type } = spec;
  const { name, data, dims } = input;
  if (dims.length === 0 && spec.dims.length > (batched ? 1 : 0)) {
    throw invalid(`the input ${name} needs its dims`);
  }
  if (dims.some((size) => size < 0)) {
    throw invalid(`the input ${name} has the dims [${dims}]; a run needs each of them`);
  }
  const elements = elementCount(dims);
  const shape = batched ? [rows, ...dims] : dims;
  const whole =
    data === 'zero'
      ? zeros(type, rows * elements)
      : data === 'random'
        ? randoms(type, rows * elements)
        : fromFile(name, type, elements, rows, data);
  return { type, dims: shape, data: whole } as Tensors[string];
}

type Elements = (Tensor | PackedTensor)['data'];

function zeros(type: Tensor['type'], length: number): Elements {
  return type === 'string' ? new Array<string>(length).fill('') : new elementArrays[type](length);
}

/** The bits of 1 in the 16-bit floats. All bit patterns below them are numbers from 0 to 1. */
const ONE = { float16: 0x3c00, bfloat16: 0x3f80 } as const;

/** Floats from 0 to 1, and integers 0 and 1, which are valid indices in any model that looks up entries. */
function randoms(type: Tensor['type'], length: number): Elements {
  if (type === 'string') return Array.from({ length }, () => Math.random().toString(36).slice(2));
  if (type === 'int64' || type === 'uint64') {
    return new elementArrays[type](length).map(() => BigInt(Math.round(Math.random())));
  }
  const data = new elementArrays[type](length);
  const draw =
    type === 'float16' || type === 'bfloat16'
      ? () => Math.floor(Math.random() * ONE[type])
      : type === 'float32' || type === 'float64'
        ? Math.random
        : () => Math.round(Math.random());
  return data.map(draw);
}

/**
 * Repeats the row of a file for each row of the run.
 *
 * @throws {ServeError} `INVALID_CONFIG` if the file is not one row.
 */
function fromFile(
  name: string,
  type: Tensor['type'],
  elements: number,
  rows: number,
  bytes: Uint8Array,
): Elements {
  const whole = new Uint8Array(rows * bytes.length);
  for (let row = 0; row < rows; row += 1) whole.set(bytes, row * bytes.length);
  if (type === 'string') {
    if (countPackedStrings(bytes) === elements) return whole;
    throw invalid(`the file of the input ${name} does not hold the ${elements} strings of one row`);
  }
  const array = elementArrays[type];
  const wanted = elements * array.BYTES_PER_ELEMENT;
  if (bytes.length === wanted) return new array(whole.buffer);
  const found = `${bytes.length} bytes, but one row takes ${wanted}`;
  throw invalid(`the file of the input ${name} has ${found}`);
}

function invalid(what: string): ServeError {
  return new ServeError('INVALID_CONFIG', what);
}
