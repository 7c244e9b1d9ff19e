/** @module The tasks of tabular models: rows of features in, one prediction a row out. */

import { z } from 'zod';
import type { Signature, TensorSpec } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { PreparedInput, Task, TaskDefinition } from '../task.ts';
import { classificationPredictor } from './classification.ts';
import { featureInput, featureTensors } from './features.ts';
import type { Prediction, Predictor } from './predictor.ts';
import { rawPredictor } from './raw.ts';
import { regressionPredictor } from './regression.ts';

export type { Prediction } from './predictor.ts';

/** One row of values, or a list of such rows, as parsed from JSON and not checked yet. */
export type Features = readonly unknown[];

export type TabularName = 'classification' | 'regression' | 'raw';

/** Takes features and gives predictions in row order. */
export interface TabularTask
  extends Task<TabularName, Features, undefined, undefined, readonly Prediction[]> {
  prepare(features: Features, options: undefined): PreparedInput<undefined>;
}

/** The keys of `model.json` that describe a tabular model. */
const inputAndOutput = {
  input: z.string().optional().describe('The input that takes the features'),
  output: z.string().optional().describe('The output that holds the prediction'),
  features: z.array(z.string()).optional().describe('Names of the features, in order'),
};

const tabularConfig = z.object(inputAndOutput);
const classificationConfig = z.object({
  ...inputAndOutput,
  activation: z
    .enum(['none', 'softmax'])
    .optional()
    .describe('What turns scores into probabilities'),
  labels: z
    .array(z.string())
    .optional()
    .describe('Names of the classes, in the order of the scores'),
});

type TabularConfig = z.infer<typeof tabularConfig>;

export const classification: TaskDefinition<typeof classificationConfig.shape, TabularTask> = {
  config: classificationConfig,
  create(signature, config) {
    const spec = onlyOutput(signature, config);
    const { labels, activation = 'none' } = config;
    const predictor = classificationPredictor(spec, labels, activation);
    return tabularTask('classification', signature, config, predictor);
  },
};

export const regression: TaskDefinition<typeof inputAndOutput, TabularTask> = {
  config: tabularConfig,
  create: (signature, config) =>
    tabularTask(
      'regression',
      signature,
      config,
      regressionPredictor(onlyOutput(signature, config)),
    ),
};

/** A model of which `model.json` names no task: the elements of its first output. */
export const raw: TaskDefinition<typeof inputAndOutput, TabularTask> = {
  config: tabularConfig,
  create: (signature, config) =>
    tabularTask('raw', signature, config, rawPredictor(chosenOutput(signature, config))),
};

function tabularTask(
  name: TabularName,
  signature: Signature,
  config: TabularConfig,
  predictor: Predictor,
): TabularTask {
  const input = featureInput(signature, config.input, config.features);
  return {
    name,
    outputs: predictor.outputs,
    prepare: (features) => ({
      runs: featureTensors(input, features).map((tensor) => ({ [input.name]: tensor })),
      context: undefined,
    }),
    decode: (outputs) =>
      outputs.length === 1
        ? predictor.read(outputs[0]!)
        : outputs.flatMap((each) => predictor.read(each)),
  };
}

function chosenOutput(signature: Signature, config: TabularConfig): TensorSpec {
  const [first] = signature.outputs;
  if (first === undefined) throw new ServeError('INVALID_CONFIG', 'The model has no output.');
  if (config.output === undefined) return first;
  const found = signature.outputs.find((output) => output.name === config.output);
  if (found !== undefined) return found;
  throw new ServeError(
    'INVALID_CONFIG',
    `The model has no output "${config.output}"; write one of ${names(signature)} in "output".`,
  );
}

function onlyOutput(signature: Signature, config: TabularConfig): TensorSpec {
  const spec = chosenOutput(signature, config);
  if (config.output !== undefined || signature.outputs.length === 1) return spec;
  throw new ServeError(
    'INVALID_CONFIG',
    `The model has several outputs; write the one that holds the prediction, ${names(signature)}, in "output".`,
  );
}

const names = (signature: Signature) =>
  signature.outputs.map((output) => `"${output.name}"`).join(', ');
