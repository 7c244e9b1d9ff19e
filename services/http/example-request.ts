/** @module Makes up a request that works with a served model, to show after the start. */

import type { Runtime, ServedModel, TensorSpec } from '../../runtime/index.ts';
import type { ExampleRequest } from './service-definition.ts';

/** Maximum values of an example: a longer row would not be readable. */
const MAX_VALUES = 64;

/**
 * Returns the request that `make` makes for the default model, or for the first model for which it makes one.
 *
 * @param suits Whether a model can be used.
 */
export function findExample(
  { config, routes }: Runtime,
  suits: (model: ServedModel) => boolean,
  make: (model: string, inputs: readonly TensorSpec[]) => ExampleRequest | undefined,
): ExampleRequest | undefined {
  // Of a model whose default version could not be loaded, requests must name another one.
  const models = routes.models().filter((model) => suits(model) && model.isComplete());
  const rank = ({ name, isDefault }: ServedModel) =>
    name === config.defaultModel ? 2 : Number(isDefault);
  models.sort((a, b) => rank(b) - rank(a));
  for (const { name } of models) {
    const example = make(
      name,
      routes.describe({ model: name, version: undefined }).signature.inputs,
    );
    // The shell would end its quotes at an apostrophe.
    if (example !== undefined && !`${example.path}${example.body}`.includes("'")) return example;
  }
  return undefined;
}

/** An input of an example: its shape with one row, and its values. */
export interface ExampleInput {
  readonly name: string;
  readonly type: TensorSpec['type'];
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** The inputs for one row; undefined if the file leaves the size of a row open, or a row is long. */
export function exampleInputs(specs: readonly TensorSpec[]): readonly ExampleInput[] | undefined {
  const shapes = specs.map(({ dims }) =>
    dims.map((dim, axis) => (axis === 0 && dim < 0 ? 1 : dim)),
  );
  const sizes = shapes.map((shape) => shape.reduce((size, dim) => size * dim, 1));
  const isOpen = shapes.some((shape) => shape.includes(-1));
  if (isOpen || sizes.reduce((sum, size) => sum + size, 0) > MAX_VALUES) return undefined;
  return specs.map(({ name, type }, i) => {
    const data = new Array(sizes[i]!).fill(exampleValue(type));
    return { name, type, shape: shapes[i]!, data };
  });
}

function exampleValue(type: TensorSpec['type']): unknown {
  if (type === 'string') return 'text';
  return type === 'bool' ? false : 0;
}
