/** @module Declared axes and batch sizes: their limits, and the form in which the addon takes them. */

import { MillraceError } from './errors.ts';
import type { Tensors } from './tensor-types.ts';
import type { AxisOptions, BatchingOptions, PadValue } from './types.ts';

/** A pad value as a string, because neither JSON nor a double has all 64-bit integers and Infinity. */
export interface NativePad {
  /** The input that is padded with the value. If undefined, every input is. */
  input?: string;
  kind: 'number' | 'integer' | 'string';
  value: string;
}

export interface NativeAxis {
  name: string;
  buckets: readonly number[];
  dimensions: readonly string[];
  pads: readonly NativePad[];
  mask: string;
}

const MAX_LENGTH = 2 ** 31;
const MAX_BUCKETS = 256;

/** @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it is and what it may be. */
export function nativeAxes(axes: BatchingOptions['axes'] = {}): NativeAxis[] {
  return Object.entries(axes).map(([name, axis]) => nativeAxis(name, axis));
}

function nativeAxis(name: string, axis: AxisOptions): NativeAxis {
  const option = `batching.axes['${name}']`;
  if (typeof axis !== 'object' || axis === null) {
    throw invalid(`${option} is ${axis}: expected an object with buckets`);
  }
  const { buckets, pad, mask = '', dimensions = [] } = axis;
  if (typeof mask !== 'string') {
    throw invalid(`${option}.mask is ${mask}: expected the name of an input`);
  }
  if (!isList(dimensions) || !dimensions.every((place) => typeof place === 'string')) {
    throw invalid(
      `${option}.dimensions is ${dimensions}: expected a list of strings such as 'x:1'`,
    );
  }
  return {
    name,
    buckets: sizes(`${option}.buckets`, buckets, MAX_LENGTH),
    dimensions: [...dimensions],
    pads: nativePads(`${option}.pad`, pad),
    mask,
  };
}

/**
 * Returns the sizes in ascending order, each once.
 *
 * @throws {MillraceError} `INVALID_ARGUMENT` unless they are 1 to 256 whole numbers from 1 to `max`.
 */
export function sizes(option: string, list: readonly number[], max: number): number[] {
  if (!isList(list) || list.length === 0 || list.length > MAX_BUCKETS) {
    throw invalid(`${option} needs 1 to ${MAX_BUCKETS} sizes in a list`);
  }
  const wrong = list.find((size) => !Number.isInteger(size) || size < 1 || size > max);
  if (wrong !== undefined) {
    throw invalid(`${option} has the size ${wrong}: expected whole numbers from 1 to ${max}`);
  }
  return [...new Set(list)].sort((a, b) => a - b);
}

function nativePads(option: string, pad: AxisOptions['pad']): NativePad[] {
  if (pad === undefined) return [];
  if (typeof pad !== 'object' || pad === null) return [nativePad(option, pad)];
  return Object.entries(pad).map(([input, value]) => ({
    input,
    ...nativePad(`${option}['${input}']`, value),
  }));
}

function nativePad(option: string, value: PadValue): NativePad {
  switch (typeof value) {
    case 'number':
      return { kind: 'number', value: String(value) };
    case 'boolean':
      return { kind: 'number', value: value ? '1' : '0' };
    case 'bigint':
      if (value >= -(2n ** 63n) && value < 2n ** 64n) {
        return { kind: 'integer', value: String(value) };
      }
      break;
    case 'string':
      return { kind: 'string', value };
  }
  throw invalid(
    `${option} is ${value}: expected a number, a bigint of 64 bits, a boolean or a string`,
  );
}

/**
 * Returns the elements of a row of the largest input after padding, so that requests can be cut into parts
 * within `maxElements`. It does not check the shapes: the addon refuses those that do not fit the axes.
 */
export function paddedRowElements(
  inputs: Tensors,
  specs: readonly { readonly name: string; readonly symbols: readonly string[] }[],
  axes: readonly NativeAxis[],
): number {
  let most = 1;
  for (const { name, symbols } of specs) {
    // The inputs have not been checked yet, so any part of them may have any type.
    const dims: unknown = inputs[name]?.dims;
    let elements = 1;
    for (let dimension = 1; Array.isArray(dims) && dimension < dims.length; dimension++) {
      const place = `${name}:${dimension}`;
      const axis = axes.find(
        (known) =>
          known.name === symbols[dimension] ||
          known.name === place ||
          known.dimensions.includes(place),
      );
      const length = typeof dims[dimension] === 'number' ? dims[dimension] : Number.NaN;
      elements *= axis?.buckets.find((bucket) => bucket >= length) ?? length;
    }
    most = Math.max(most, elements);
  }
  return most;
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);
