/** @module Makes up a request that works with a served model, to show after the start. */

import {
  type Config,
  datatypes,
  type ModelVersion,
  type RouteContext,
  type RouteTable,
  type Runtime,
  type ServedModel,
  ServeError,
  type TensorSpec,
} from '../../runtime/index.ts';
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
  make: (version: ModelVersion) => ExampleRequest | undefined,
): ExampleRequest | undefined {
  // Of a model whose default version could not be loaded, requests must name another one.
  const models = routes.models().filter((model) => suits(model) && model.isComplete());
  for (const { name } of defaultFirst(models, config)) {
    // A route may name a version that is not there.
    const version = versionFor(routes, { model: name, version: undefined });
    const example = version && make(version);
    // The shell would end its quotes at an apostrophe.
    if (example !== undefined && !Object.values(example).join('').includes("'")) return example;
  }
  return undefined;
}

/** The models in the order in which people are likely to want them. */
export function defaultFirst(
  models: readonly ServedModel[],
  { defaultModel, transformerModel }: Config,
): readonly ServedModel[] {
  const rank = ({ name, isDefault }: ServedModel) => {
    if (name === defaultModel) return 3;
    return isDefault ? 2 : Number(name === transformerModel);
  };
  return models.toSorted((a, b) => rank(b) - rank(a));
}

/** The version that responds to such a request; undefined if none does. */
export function versionFor(routes: RouteTable, context: RouteContext): ModelVersion | undefined {
  try {
    return routes.describe(context);
  } catch (error) {
    if (error instanceof ServeError) return undefined;
    throw error;
  }
}

/** An input of an example as `/v2` takes it: its shape with one row, and its values. */
export interface ExampleInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/**
 * The inputs for one row: the example of `model.json`, otherwise zeros; undefined if the file leaves the size of a row open, or a
 * row is long.
 */
export function exampleInputs(version: ModelVersion): readonly ExampleInput[] | undefined {
  const { inputs } = version.signature;
  const example = version.task instanceof ServeError ? undefined : version.task.example;
  const shapes = inputs.map(({ name, dims }) =>
    dims.map((dim, axis) => {
      if (dim >= 0) return dim;
      return axis === 0 ? 1 : (example?.[name]?.length ?? dim);
    }),
  );
  const sizes = shapes.map((shape) => shape.reduce((size, dim) => size * dim, 1));
  const isOpen = shapes.some((shape) => shape.includes(-1));
  if (isOpen || sizes.reduce((sum, size) => sum + size, 0) > MAX_VALUES) return undefined;
  return inputs.map(({ name, type }, i) => {
    const data = example?.[name] ?? new Array(sizes[i]!).fill(exampleValue(type));
    return { name, datatype: datatypes[type], shape: shapes[i]!, data };
  });
}

/** A row of `exampleInputs` as `/predict` takes it. */
export function exampleFeatures(version: ModelVersion): unknown {
  const row = exampleInputs(version);
  if (row?.length === 1) return row[0]!.data;
  // A model of several inputs takes each as a column, by its name.
  const columns = row?.map(({ name, data }) => [name, data.length === 1 ? data[0] : data]);
  return columns && Object.fromEntries(columns);
}

function exampleValue(type: TensorSpec['type']): unknown {
  if (type === 'string') return 'text';
  return type === 'bool' ? false : 0;
}
