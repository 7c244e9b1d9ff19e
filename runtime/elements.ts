/**
 * The conversion between JSON values and tensor elements, one for every route that speaks plain JSON.
 * A value that its element type cannot hold is refused, never wrapped, clipped or rounded to an integer.
 * (Tensors of the Open Inference Protocol are parsed natively, with the same ranges.)
 *
 * @module
 */

import { type ElementData, type ElementType, elementArrays, type Tensor } from '../native/index.ts';
import { BFLOAT16, FLOAT16, fromHalfBits, toHalfBits } from './half-floats.ts';
import { type JsonElement, jsonFloat, type NonFinite } from './non-finite.ts';

/** How the elements of one type are made from JSON values. */
export interface ElementCodec {
  /** The end of "must be …" in error messages. */
  readonly expected: string;
  /** Storage for `length` elements, to be filled by index. */
  readonly allocate: (length: number) => ElementStorage;
  /** The value as the storage holds it; undefined if the type cannot hold it. */
  readonly encode: (value: unknown) => number | bigint | string | undefined;
}

export type ElementStorage = {
  [index: number]: number | bigint | string;
  readonly length: number;
};

/** Numbers from here on are nearer to infinity than to the largest float32, 2^128 - 2^104. */
export const FLOAT32_LIMIT = 2 ** 128 - 2 ** 103;

const codecs: Readonly<Record<ElementType, ElementCodec>> = {
  float32: float('a finite number that fits float32', Float32Array, FLOAT32_LIMIT),
  float64: float('a finite number', Float64Array, Infinity),
  float16: {
    expected: 'a finite number that fits float16',
    allocate: (length) => new Uint16Array(length),
    encode: (value) => toHalfBits(FLOAT16, toNumber(value)),
  },
  bfloat16: {
    expected: 'a finite number that fits bfloat16',
    allocate: (length) => new Uint16Array(length),
    encode: (value) => toHalfBits(BFLOAT16, toNumber(value)),
  },
  int8: integer('int8', Int8Array, -(2 ** 7), 2 ** 7 - 1),
  int16: integer('int16', Int16Array, -(2 ** 15), 2 ** 15 - 1),
  int32: integer('int32', Int32Array, -(2 ** 31), 2 ** 31 - 1),
  uint8: integer('uint8', Uint8Array, 0, 2 ** 8 - 1),
  uint16: integer('uint16', Uint16Array, 0, 2 ** 16 - 1),
  uint32: integer('uint32', Uint32Array, 0, 2 ** 32 - 1),
  int64: wideInteger('int64', BigInt64Array, -(2n ** 63n), 2n ** 63n - 1n),
  uint64: wideInteger('uint64', BigUint64Array, 0n, 2n ** 64n - 1n),
  bool: {
    expected: 'true or false',
    allocate: (length) => new Uint8Array(length),
    encode: (value) => (typeof value === 'boolean' ? Number(value) : undefined),
  },
  string: {
    expected: 'a string',
    allocate: (length) => new Array<string>(length).fill(''),
    encode: (value) => (typeof value === 'string' ? value : undefined),
  },
};

/** The codecs of floats that convert `null`, a missing value, to NaN. */
const codecsWithNull: Readonly<Partial<Record<ElementType, ElementCodec>>> = {
  float32: withNull(codecs.float32, Number.NaN),
  float64: withNull(codecs.float64, Number.NaN),
  float16: withNull(codecs.float16, 0x7e00),
  bfloat16: withNull(codecs.bfloat16, 0x7fc0),
};

/** @param nullIsNaN Whether `null` is a missing value among floats, according to the model's configuration. */
export function elementCodec(type: ElementType, nullIsNaN: boolean): ElementCodec {
  return (nullIsNaN ? codecsWithNull[type] : undefined) ?? codecs[type];
}

/** Number of elements of a tensor of these dimensions. */
export const elementCount = (dims: readonly number[]): number =>
  dims.reduce((product, size) => product * size, 1);

/**
 * The tensor of elements that `ElementCodec.allocate` has made.
 *
 * @throws {TypeError} if the storage does not fit the type, or its length does not fit the shape.
 */
export function createTensor(
  type: ElementType,
  dims: readonly number[],
  data: ElementStorage,
): Tensor {
  const length = elementCount(dims);
  if (isDataOf(type, data) && data.length === length) return { type, dims, data } as Tensor;
  throw new TypeError(`${data.length} elements are no ${type} tensor of the shape [${dims}]`);
}

const isDataOf = (
  type: ElementType,
  data: ElementStorage,
): data is ElementStorage & ElementData[ElementType] =>
  type === 'string' ? Array.isArray(data) : data instanceof elementArrays[type];

/** The element at `index` as a JSON response carries it. 64-bit integers keep all their digits. */
export function jsonElement(tensor: Tensor, index: number, nonFinite: NonFinite): JsonElement {
  const value = tensor.data[index]!;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : JSON.rawJSON(String(value));
  }
  if (typeof value !== 'number') return value;
  switch (tensor.type) {
    case 'bool':
      return value !== 0;
    case 'float16':
      return jsonFloat(fromHalfBits(FLOAT16, value), nonFinite);
    case 'bfloat16':
      return jsonFloat(fromHalfBits(BFLOAT16, value), nonFinite);
    default:
      return jsonFloat(value, nonFinite);
  }
}

/** Describes a value of a request, for the message that refuses it. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value) : 'a number out of range';
  }
  if (typeof value === 'bigint') {
    const digits = String(value);
    return digits.length > MAX_DIGITS ? `${digits.slice(0, MAX_DIGITS)}…` : digits;
  }
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const MAX_DIGITS = 40;

/** Returns NaN for a value that is not a number. Integers from exact JSON may be bigints. */
const toNumber = (value: unknown): number =>
  typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;

function float(
  expected: string,
  array: Float32ArrayConstructor | Float64ArrayConstructor,
  limit: number,
): ElementCodec {
  return {
    expected,
    allocate: (length) => new array(length),
    encode: (value) => {
      const number = toNumber(value);
      return Math.abs(number) < limit ? number : undefined;
    },
  };
}

function withNull({ expected, allocate, encode }: ElementCodec, missing: number): ElementCodec {
  return {
    expected: `${expected}, or null where it is missing`,
    allocate,
    encode: (value) => (value === null ? missing : encode(value)),
  };
}

function integer(
  type: ElementType,
  array: { new (length: number): ElementStorage },
  min: number,
  max: number,
): ElementCodec {
  return {
    expected: `an integer from ${min} to ${max} (${type})`,
    allocate: (length) => new array(length),
    encode: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
        ? value
        : undefined,
  };
}

/** Exact JSON parses integers beyond 2^53 as bigints; a plain number of that size has already lost digits. */
function wideInteger(
  type: ElementType,
  array: { new (length: number): ElementStorage },
  min: bigint,
  max: bigint,
): ElementCodec {
  return {
    expected: `an integer from ${min} to ${max} (${type})`,
    allocate: (length) => new array(length),
    encode: (value) => {
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return undefined;
      const exact = BigInt(value as number | bigint);
      return exact >= min && exact <= max ? exact : undefined;
    },
  };
}
