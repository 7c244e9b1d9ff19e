/** @module The typed arrays of the element types. */

import type { ElementData, ElementType, HalfFloats } from './tensor-types.ts';

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

type NumberType = keyof typeof elementArrays;

/** As many elements are copied one by one sooner than by a call that copies any number. */
const FEW_ELEMENTS = 32;

/** Memory that holds elements of several types at different times. */
export class ElementViews {
  readonly #memory: ArrayBuffer;
  /** They are kept, because creating a view of memory is slow. */
  readonly #views: Partial<Record<NumberType, Uint8Array>> = {};

  constructor(memory: ArrayBuffer) {
    this.#memory = memory;
  }

  /**
   * Copies elements into memory of their own.
   *
   * @param offset Where they start, in bytes: a multiple of the size of an element.
   * @returns a typed array of the type's class.
   */
  copy(type: NumberType, offset: number, count: number): Uint8Array {
    const view = this.#view(type);
    const start = offset / view.BYTES_PER_ELEMENT;
    if (count > FEW_ELEMENTS) return view.slice(start, start + count);
    const copied = new elementArrays[type](count) as Uint8Array;
    for (let i = 0; i < count; i += 1) copied[i] = view[start + i]!;
    return copied;
  }

  /** Writes a few elements to the start of the memory. `data` is a typed array of the type's class. */
  write(type: NumberType, data: ElementData[NumberType]): void {
    const view = this.#view(type);
    const elements = data as Uint8Array;
    for (let i = 0; i < elements.length; i += 1) view[i] = elements[i]!;
  }

  /** All classes of typed arrays go by the name of one here: TypeScript has no name for "both of the same class". */
  #view(type: NumberType): Uint8Array {
    this.#views[type] ??= new elementArrays[type](this.#memory) as Uint8Array;
    return this.#views[type];
  }
}
