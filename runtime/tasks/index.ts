/** @module Chooses the head of a version: a task is a line of data in `model.json`, not code. */

import type { Signature, TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import { classificationHead } from './classification.ts';
import { refuseRawBits, type TaskHead } from './head.ts';
import { rawHead } from './raw.ts';
import { regressionHead } from './regression.ts';

export type { Prediction, Scalar, TaskHead } from './head.ts';

/** The part of `model.json` that describes the answers. */
export interface TaskConfig {
  readonly task?: 'classification' | 'regression' | undefined;
  readonly output?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly activation?: 'none' | 'softmax' | undefined;
}

/**
 * The head that a model's configuration names, or `raw` where it names none.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a reason when the configuration does not fit the signature.
 */
export function taskHead(signature: Signature, config: TaskConfig): TaskHead {
  const spec = chosenOutput(signature, config);
  refuseRawBits(spec);
  if (config.task === undefined) return rawHead(spec);
  if (config.task === 'regression') return regressionHead(spec);
  return classificationHead(spec, config.labels, config.activation ?? 'none');
}

function chosenOutput(signature: Signature, config: TaskConfig): TensorSpec {
  const names = signature.outputs.map((output) => `"${output.name}"`).join(', ');
  if (config.output !== undefined) {
    const found = signature.outputs.find((output) => output.name === config.output);
    if (found !== undefined) return found;
    throw new ServeError(
      'INVALID_CONFIG',
      `The model has no output "${config.output}"; write one of ${names} in "output".`,
    );
  }
  const [first, ...others] = signature.outputs;
  if (first === undefined) throw new ServeError('INVALID_CONFIG', 'The model has no output.');
  if (config.task !== undefined && others.length > 0) {
    throw new ServeError(
      'INVALID_CONFIG',
      `The model has several outputs; write the one that answers, ${names}, in "output".`,
    );
  }
  return first;
}
