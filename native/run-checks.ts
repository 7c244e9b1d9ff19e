/** @module What is wrong with the options and inputs of a run, before they reach the addon. */

import type { NativeModel } from './binding.ts';
import { isHalfArray } from './elements.ts';
import { checkPool } from './pooling.ts';
import { quote } from './quote.ts';
import type { RunOptions } from './run-types.ts';
import type { Tensors } from './tensor-types.ts';
import type { TensorSpec } from './types.ts';

interface CheckedModel {
  readonly name: string;
  readonly native: Pick<NativeModel, 'outputs'>;
}

/** Returns what is wrong with the options, or undefined. */
export function checkRunOptions(
  model: CheckedModel,
  { timeoutMs, priority, outputs, pool }: RunOptions,
) {
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    return `timeoutMs is ${timeoutMs}: expected a number of milliseconds, 0 or more`;
  }
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 255)) {
    return `priority is ${priority}: expected a whole number from 0 (most urgent) to 255`;
  }
  if (pool !== undefined) {
    return outputs === undefined
      ? checkPool(pool, model.native.outputs)
      : 'Both pool and outputs are given: leave outputs out, because the result has the pooled output alone';
  }
  const unknown = outputs === undefined ? undefined : firstUnknown(model.native.outputs, outputs);
  if (unknown === undefined) return undefined;
  const known = model.native.outputs.map((o) => `'${o.name}'`).join(', ');
  return `Model '${model.name}' has no output ${quote(unknown)}: it has ${known}`;
}

/** Returns the first of `names` that no output has. It allocates nothing, since every request passes here. */
function firstUnknown(specs: readonly TensorSpec[], names: readonly string[]): string | undefined {
  next: for (const name of names) {
    for (const spec of specs) if (spec.name === name) continue next;
    return name;
  }
  return undefined;
}

/** Returns what is wrong with the names, types and ranks of the inputs, or undefined. The addon checks the rest. */
export function checkInputs(
  { inputs: specs, masks, pixels }: Pick<NativeModel, 'inputs' | 'masks' | 'pixels'>,
  inputs: Tensors,
): string | undefined {
  if (typeof inputs !== 'object' || inputs === null) {
    return 'The inputs are missing: expected an object with a tensor for each input';
  }
  let expected = specs.length;
  for (const { name, type } of specs) {
    const tensor = inputs[name];
    if (tensor === undefined && masks.includes(name) && !(name in inputs)) {
      expected--;
      continue;
    }
    if (tensor === undefined || tensor === null) return missingInput(name, specs, inputs);
    if (tensor.type !== type && !(tensor.type === 'uint8' && pixels.includes(name))) {
      const either = pixels.includes(name) ? ', or uint8 pixels' : '';
      return `Input '${name}' is ${tensor.type}, but the model expects ${type}${either}`;
    }
    if (type !== 'float16' && isHalfArray(tensor.data)) {
      return `Input '${name}' is not a typed array for ${type}`;
    }
    if (!Array.isArray(tensor.dims) || tensor.dims.length > 16) {
      return `Input '${name}' needs dims: an array of at most 16 sizes`;
    }
  }
  let given = 0;
  for (const _ in inputs) given++;
  return given === expected ? undefined : `The model has ${unknownInput(specs, inputs)}`;
}

function missingInput(name: string, specs: readonly TensorSpec[], inputs: Tensors): string {
  const unknown = unknownInput(specs, inputs);
  const hint = unknown === undefined ? '' : `; the model has ${unknown}`;
  return `Input '${name}' is missing${hint}`;
}

/** Names an input that the model does not have, and those that it has; undefined if there is none. */
function unknownInput(specs: readonly TensorSpec[], inputs: Tensors): string | undefined {
  const known = specs.map((spec) => spec.name);
  const unknown = Object.keys(inputs).find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  return `no input ${quote(unknown)}: it has ${known.map((name) => `'${name}'`).join(', ')}`;
}
