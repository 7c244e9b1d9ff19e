/** @module The typed arrays of the element types. */

import type { ElementType, HalfFloats } from './types.ts';

export const elementArrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const satisfies Record<Exclude<ElementType, 'string'>, unknown>;

/** The class `Float16Array`, which Node 20 and 22 do not have. */
const halfArray: unknown = Reflect.get(globalThis, 'Float16Array');

/** Returns whether `data` is a `Float16Array`. */
export const isHalfArray = (data: unknown): data is HalfFloats =>
  typeof halfArray === 'function' && data instanceof halfArray;

/**
 * Returns the bit patterns of a `Float16Array` in the same memory, and anything else as it is. The array itself
 * cannot be passed to an addon: Deno aborts the process.
 */
export function withoutHalfArray<T>(data: T | HalfFloats): T | Uint16Array {
  if (!isHalfArray(data)) return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

/** Returns the bytes as a typed array of the type if they are aligned for it, and otherwise as they are, which `run` accepts too. */
export function elementsIn(type: keyof typeof elementArrays, bytes: Uint8Array<ArrayBuffer>) {
  const { buffer, byteOffset, byteLength } = bytes;
  const array = elementArrays[type];
  const size = array.BYTES_PER_ELEMENT;
  return byteOffset % size === 0 ? new array(buffer, byteOffset, byteLength / size) : bytes;
}
