/** @module The typed array of each element type. */

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

/** Undefined on Node 20 and 22. */
const halfArray: unknown = Reflect.get(globalThis, 'Float16Array');

/** Whether `data` is the runtime's own array of 16-bit floats. */
export const isHalfArray = (data: unknown): data is HalfFloats =>
  typeof halfArray === 'function' && data instanceof halfArray;

/** The bit patterns of 16-bit floats, in the same memory; anything else as it is. No addon takes the array itself: Deno ends. */
export function withoutHalfArray<T>(data: T | HalfFloats): T | Uint16Array {
  if (!isHalfArray(data)) return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

/** The elements in memory that is aligned for them; else its bytes as they are, which the engine takes as well. */
export function elementsIn(type: keyof typeof elementArrays, bytes: Uint8Array<ArrayBuffer>) {
  const { buffer, byteOffset, byteLength } = bytes;
  const array = elementArrays[type];
  const size = array.BYTES_PER_ELEMENT;
  return byteOffset % size === 0 ? new array(buffer, byteOffset, byteLength / size) : bytes;
}
