/** @module Tensors of copied requests: copies that nobody else frees, and their elements. */

import {
  elementArrays,
  elementsIn,
  type PackedTensor,
  type Tensor,
  type Tensors,
  unpackStrings,
} from '../../native/index.ts';
import { jsonElement } from '../elements.ts';
import { BFLOAT16, floatsOfHalves, fromHalfBits } from '../half-floats.ts';
import type { JsonElement } from '../non-finite.ts';

type AnyTensor = Tensors[string];
type Bytes = Uint8Array<ArrayBuffer>;

/** Elements of a tensor that are shown. */
const SHOWN = 16;

/** Copies inputs, whose memory the engine may free after the run of the request itself. */
export function copyTensors(tensors: Tensors): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, each]) => [name, copyOf(each)]));
}

function copyOf(tensor: AnyTensor): Tensor | PackedTensor {
  const { type, dims, data } = tensor;
  // Strings of JavaScript do not change.
  if (Array.isArray(data)) return tensor as Tensor<'string'>;
  const { buffer, byteOffset, byteLength } = data as Bytes;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
  return { type, dims, data: type === 'string' ? bytes : elementsIn(type, bytes) } as Tensor;
}

/** Memory of inputs, bytes. */
export function sizeOf(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + lengthOf(data), 0);
}

const lengthOf = (data: AnyTensor['data']): number =>
  ArrayBuffer.isView(data) ? data.byteLength : data.reduce((sum, text) => sum + 2 * text.length, 0);

/** The tensor with elements that can be read by their index. */
export function readable(tensor: AnyTensor): Tensor {
  const { type, dims, data } = tensor;
  if (type !== 'string') {
    return (data instanceof elementArrays[type] ? tensor : copyOf(tensor)) as Tensor;
  }
  if (Array.isArray(data)) return tensor as Tensor;
  const decoder = new TextDecoder();
  const texts = unpackStrings(data as Bytes)?.map((bytes) => decoder.decode(bytes));
  return { type, dims, data: texts ?? [] };
}

/** The elements as numbers; undefined for strings. */
export function numbersOf({ type, data }: Tensor): ArrayLike<number> | undefined {
  switch (type) {
    case 'string':
      return undefined;
    case 'float16':
      return floatsOfHalves(data);
    case 'bfloat16':
      return Float32Array.from(data, (bits) => fromHalfBits(BFLOAT16, bits));
    case 'int64':
    case 'uint64':
      return Float64Array.from(data, Number);
    default:
      return data;
  }
}

/** The first elements of each tensor. */
export function shownElements(tensors: Tensors): Record<string, readonly JsonElement[]> {
  const shown = Object.entries(tensors).map(([name, each]) => {
    const tensor = readable(each);
    const length = Math.min(tensor.data.length, SHOWN);
    const elements = Array.from({ length }, (_, i) => jsonElement(tensor, i, 'string'));
    return [name, elements] as const;
  });
  return Object.fromEntries(shown);
}
