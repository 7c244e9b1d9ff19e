/** @module Tensors of plain JSON: values, flat lists, or nested lists of a tensor's shape. */

import {
  createTensor,
  describeValue,
  elementCodec,
  elementCount,
  invalidArgument,
  jsonElement,
  type ModelVersion,
  type NonFinite,
  type Tensor,
  type TensorSpec,
} from '../../runtime/index.ts';

/**
 * Converts a value, a flat list of the elements in row-major order, or nested lists of the tensor's shape. If the
 * model is batched, the batch dimension may be left out, and then the tensor has one row.
 */
export function toTensor(spec: TensorSpec, version: ModelVersion, value: unknown): Tensor {
  const { name, type, dims } = spec;
  const { enabled } = version.signature.batching;
  const values: unknown[] = [];
  const nested = flatten(name, value, values);
  const shape = fitNested(dims, nested) ?? fitRow(dims, enabled, nested, values.length);
  if (shape === undefined) {
    const got = nested.length > 1 ? `the shape [${nested}]` : `${values.length} values`;
    throw invalidArgument(`${name} has ${got}, but the model takes [${dims}].`);
  }
  const data = toData(name, elementCodec(type, version.nullIsNaN), values);
  return createTensor(type, shape, data);
}

/** The shape, if the lists are nested by all dimensions of the input. */
const fitNested = (
  dims: readonly number[],
  nested: readonly number[],
): readonly number[] | undefined => (nested.length > 0 && fits(dims, nested) ? nested : undefined);

/** The shape, if nested lists or a flat list hold one row, or the whole tensor of a model without batches. */
function fitRow(
  dims: readonly number[],
  batched: boolean,
  nested: readonly number[],
  count: number,
): readonly number[] | undefined {
  const row = dims.slice(batched ? 1 : 0);
  const whole = (sizes: readonly number[]) => (batched ? [1, ...sizes] : sizes);
  if (nested.length > 1) return fits(row, nested) ? whole(nested) : undefined;
  const dynamic = row.filter((size) => size === -1).length;
  const fixed = elementCount(row.filter((size) => size !== -1));
  const missing = dynamic === 0 ? 1 : count / fixed;
  if (dynamic > 1 || fixed * missing !== count || !Number.isInteger(missing)) return undefined;
  return whole(row.map((size) => (size === -1 ? missing : size)));
}

const fits = (dims: readonly number[], sizes: readonly number[]): boolean =>
  dims.length === sizes.length && dims.every((dim, i) => dim === -1 || dim === sizes[i]);

/** Appends the elements of a value or of nested lists to `into`. @returns the sizes of the lists, outermost first. */
function flatten(name: string, value: unknown, into: unknown[]): readonly number[] {
  if (!Array.isArray(value)) {
    into.push(value);
    return [];
  }
  let inner: readonly number[] | undefined;
  for (const each of value as readonly unknown[]) {
    const sizes = flatten(name, each, into);
    inner ??= sizes;
    if (sizes.length !== inner.length || sizes.some((size, i) => size !== inner?.[i])) {
      throw invalidArgument(
        `${name} has nested lists of different sizes; all lists of a level must have the same size.`,
      );
    }
  }
  return [value.length, ...(inner ?? [])];
}

function toData(name: string, codec: ReturnType<typeof elementCodec>, values: readonly unknown[]) {
  const data = codec.allocate(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const element = codec.encode(values[i]);
    if (element === undefined) {
      throw invalidArgument(`${name} must be ${codec.expected}, got ${describeValue(values[i])}.`);
    }
    data[i] = element;
  }
  return data;
}

/** A single element as a value, several elements as a list. */
export function toJson(tensor: Tensor, nonFinite: NonFinite): unknown {
  const element = (index: number) => jsonElement(tensor, index, nonFinite);
  const elements = Array.from({ length: tensor.data.length }, (_, i) => element(i));
  return elements.length === 1 ? elements[0] : elements;
}
