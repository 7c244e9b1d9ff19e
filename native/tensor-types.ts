/** @module The public contract of tensors. */

/**
 * The JavaScript storage of each ONNX element type. 16-bit floats are bit patterns; inputs may also be a
 * `Float16Array`.
 */
export interface ElementData {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  /** One byte for each element, 0 or 1. Inputs may have any other byte for `true`. */
  bool: Uint8Array;
  string: readonly string[];
}

export type ElementType = keyof ElementData;

/** A dense row-major tensor. `data` has exactly as many elements as the product of `dims`; a scalar has `dims: []`. */
export type Tensor<T extends ElementType = ElementType> = {
  [K in T]: { readonly type: K; readonly dims: readonly number[]; readonly data: ElementData[K] };
}[T];

/**
 * A tensor whose elements are bytes at any offset, such as part of a message, which need not be copied to align
 * it. Numbers are little-endian. Strings may be any bytes, each after its length in four bytes, little-endian.
 */
export interface PackedTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** The type of a `Float16Array`, which not every runtime has. */
export interface HalfFloats extends ArrayBufferView, Iterable<number> {
  readonly length: number;
  readonly [index: number]: number;
  readonly [Symbol.toStringTag]: 'Float16Array';
}

/** A tensor of 16-bit floats in a `Float16Array`. */
export interface HalfTensor {
  readonly type: 'float16';
  readonly dims: readonly number[];
  readonly data: HalfFloats;
}

/** The inputs of a request by name. */
export type Tensors = Readonly<Record<string, Tensor | PackedTensor | HalfTensor>>;
