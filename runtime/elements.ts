/**
 * The conversion between JSON values and tensor elements, one for every route that speaks plain JSON.
 * A value that its element type cannot hold is refused, never wrapped, clipped or rounded to an integer.
 * (Tensors of the Open Inference Protocol are parsed natively, by the same rules.)
 *
 * @module
 */

import type { ElementType, Tensor } from '../native/index.ts';

/** How the elements of one type are made from JSON values. */
export interface ElementCodec {
  /** What a value has to be, to complete "must be …". */
  readonly expected: string;
  /** Storage for `length` elements, to be filled by index. */
  readonly allocate: (length: number) => ElementStorage;
  /** The value as the storage holds it; undefined where the type cannot hold it. */
  readonly encode: (value: unknown) => number | bigint | string | undefined;
}

export type ElementStorage = {
  [index: number]: number | bigint | string;
  readonly length: number;
};

declare global {
  /** ECMAScript's "JSON.parse source text access", which the compiler's library does not describe yet. */
  interface JSON {
    rawJSON(text: string): RawJson;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** JSON text that `JSON.stringify` writes as it is, such as a number with more digits than a double has. */
export interface RawJson {
  readonly rawJSON: string;
}

/** An element as `JSON.stringify` writes it. */
export type JsonElement = number | string | boolean | RawJson;

/** The largest finite float32. */
export const MAX_FLOAT32 = 3.4028234663852886e38;

/** By element type; the 16-bit floats, which JavaScript cannot fill everywhere, are missing. */
export const elementCodecs: Readonly<Partial<Record<ElementType, ElementCodec>>> = {
  float32: float('a finite number that fits float32', Float32Array, MAX_FLOAT32),
  float64: float('a finite number', Float64Array, Number.MAX_VALUE),
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

/**
 * The element at `index` as a JSON response carries it: 64-bit integers with all their digits, and floats
 * that JSON has no numbers for as the strings "NaN", "Infinity" and "-Infinity".
 */
export function jsonElement(tensor: Tensor, index: number): JsonElement {
  const value = tensor.data[index]!;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : JSON.rawJSON(String(value));
  }
  if (typeof value !== 'number') return value;
  switch (tensor.type) {
    case 'bool':
      return value === 1;
    case 'float16':
      return jsonNumber(float16Value(value));
    case 'bfloat16':
      return jsonNumber(bfloat16Value(value));
    default:
      return jsonNumber(value);
  }
}

/** A value of a request, for a message that refuses it. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value) : 'a number out of range';
  }
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function float(
  expected: string,
  array: Float32ArrayConstructor | Float64ArrayConstructor,
  max: number,
): ElementCodec {
  return {
    expected,
    allocate: (length) => new array(length),
    encode: (value) => {
      const number = typeof value === 'bigint' ? Number(value) : value;
      return typeof number === 'number' && Math.abs(number) <= max ? number : undefined;
    },
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

/** `parseJson` gives integers past 2^53 as bigints; a plain number of that size has already lost digits. */
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

const jsonNumber = (value: number): number | string =>
  Number.isFinite(value) ? value : String(value);

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 bits of fraction. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** bfloat16 is the upper half of a float32. */
function bfloat16Value(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}
