/** @module Compares the inputs and outputs that a configuration declares with those of the model. */

import { type Signature, shorten, type TensorSpec } from '../native/index.ts';
import { ServeError } from './errors.ts';
import {
  configType,
  type DeclaredTensor,
  type ModelConfig,
  type RepositorySettings,
} from './repository/index.ts';

/** Longest sentence that repeats names of a model or a configuration, characters. */
const MAX_CHARACTERS = 1000;

/** Maximum rows of a run if the model is batched, so that declared shapes omit the batch dimension; else 0. */
export function describedRows({ batching }: ModelConfig, signature: Signature): number {
  if (batching === false) return 0;
  const { enabled, maxRows } = signature.batching;
  return batching?.maxRows ?? (enabled ? maxRows : 0);
}

/**
 * The configuration declares all inputs, or no input. It declares the outputs that responses have by default.
 *
 * @throws {ServeError} `INVALID_CONFIG` with the first difference.
 */
export function validateConfig(
  config: ModelConfig,
  settings: RepositorySettings,
  signature: Signature,
): void {
  const batched = describedRows(config, signature) > 0;
  for (const [kind, declared] of [
    ['input', settings.inputs],
    ['output', settings.outputs],
  ] as const) {
    const specs = signature[`${kind}s`];
    for (const tensor of declared) checkTensor(kind, tensor, specs, batched);
  }
  const missing = signature.inputs.find(
    ({ name }) => !settings.inputs.some((t) => t.name === name),
  );
  if (settings.inputs.length > 0 && missing !== undefined) {
    throw wrong(
      `the input ${missing.name} of the model is missing; describe every input, or no input`,
    );
  }
}

/** @throws {ServeError} `INVALID_CONFIG` if there is no such tensor in the model. */
export function checkTensor(
  kind: 'input' | 'output',
  { name, datatype, dims }: DeclaredTensor,
  specs: readonly TensorSpec[],
  batched: boolean,
): TensorSpec {
  const spec = specs.find((each) => each.name === name);
  if (spec === undefined) {
    const known = specs.map((each) => each.name).join(', ') || 'none';
    throw wrong(`the model has no ${kind} ${name}; its ${kind}s are ${known}`);
  }
  const type = configType(spec.type);
  if (datatype !== undefined && datatype !== type) {
    throw wrong(`the ${kind} ${name} is ${datatype}, but the model has it as ${type}`);
  }
  const row = batched ? spec.dims.slice(1) : spec.dims;
  const fits =
    dims.length === row.length && row.every((size, axis) => size === -1 || size === dims[axis]);
  if (dims.length === 0 || fits) return spec;
  const rows = batched ? ' beside the dimension that counts rows' : '';
  throw wrong(`the dims of the ${kind} ${name} are [${dims}], but the model has [${row}]${rows}`);
}

function wrong(what: string): ServeError {
  const message = `The configuration does not fit the model: ${shorten(what, MAX_CHARACTERS)}.`;
  return new ServeError('INVALID_CONFIG', message);
}
