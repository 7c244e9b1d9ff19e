/** @module The tasks of tabular models: they take rows of features and return one prediction for each row. */

import { z } from 'zod';
import type { Signature, TensorSpec } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { NonFinite } from '../../non-finite.ts';
import type { PreparedInput, Task, TaskDefinition, TaskModel } from '../task.ts';
import { classificationPredictor, labelledOutputs, labelPredictor } from './classification.ts';
import type { Features } from './columns.ts';
import type { Prediction, Predictor } from './predictor.ts';
import { rawPredictor } from './raw.ts';
import { regressionPredictor } from './regression.ts';
import { checkRows, refuseOtherRows } from './rows.ts';
import { featureTable } from './table.ts';

export type { Features } from './columns.ts';
export type { Prediction } from './predictor.ts';
export { ranksAbove } from './scores.ts';

export interface TabularOptions {
  /** How NaN and the infinities are written in the predictions. */
  readonly nonFinite: NonFinite;
}

interface TabularContext extends TabularOptions {
  /** Rows of each run. */
  readonly rows: number;
}

export type TabularName = 'classification' | 'regression' | 'raw';

/** Takes features and returns predictions in row order. */
export interface TabularTask
  extends Task<TabularName, Features, TabularOptions, TabularContext, readonly Prediction[]> {
  prepare(features: Features, options: TabularOptions): PreparedInput<TabularContext>;
}

/** The keys of `model.json` that describe a tabular model. */
const tabularConfig = z.object({
  input: z.string().optional().describe('The input that takes the features'),
  output: z.string().optional().describe('The output that holds the prediction'),
  features: z.array(z.string()).optional().describe('Names of the features, in order'),
  missing: z
    .literal('nan')
    .optional()
    .describe('`nan`: a `null` among floats is a missing value, and NaN for the model'),
});
const classificationConfig = z.object({
  ...tabularConfig.shape,
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
  create(model, config) {
    const { labels, activation = 'none', output } = config;
    const labelled = output === undefined ? labelledOutputs(model.signature) : undefined;
    if (labelled !== undefined && labels === undefined) {
      return tabularTask('classification', model, config, labelPredictor(labelled, activation));
    }
    const spec = labelled?.scores ?? onlyOutput(model.signature, config);
    const predictor = classificationPredictor(spec, labels ?? spec.labels, activation);
    return tabularTask('classification', model, config, predictor);
  },
};

export const regression: TaskDefinition<typeof tabularConfig.shape, TabularTask> = {
  config: tabularConfig,
  create(model, config) {
    const predictor = regressionPredictor(onlyOutput(model.signature, config));
    return tabularTask('regression', model, config, predictor);
  },
};

/**
 * A model without a task in `model.json`. A classifier that returns a label and its probabilities is recognised by
 * its outputs; the predictions of any other model are the elements of its first output.
 */
export const raw: TaskDefinition<typeof tabularConfig.shape, TabularTask> = {
  config: tabularConfig,
  create(model, config) {
    const labelled = config.output === undefined ? labelledOutputs(model.signature) : undefined;
    if (labelled !== undefined) {
      return tabularTask('classification', model, config, labelPredictor(labelled, 'none'));
    }
    const spec = chosenOutput(model.signature, config);
    if (spec.labels !== undefined) {
      const predictor = classificationPredictor(spec, spec.labels, 'none');
      return tabularTask('classification', model, config, predictor);
    }
    refuseOtherRows(model, spec);
    return tabularTask('raw', model, config, rawPredictor(spec));
  },
};

function tabularTask(
  name: TabularName,
  { name: model, signature }: TaskModel,
  config: TabularConfig,
  predictor: Predictor,
): TabularTask {
  const layOut = featureTable(signature, config);
  return {
    name,
    outputs: predictor.outputs,
    prepare(features, { nonFinite }) {
      const { runs, rows } = layOut(features);
      return { runs, context: { nonFinite, rows } };
    },
    decode(results, { rows, nonFinite }) {
      for (const { outputs } of results) {
        for (const name of predictor.outputs) checkRows(model, outputs[name]!, rows);
      }
      return results.length === 1
        ? predictor.read(results[0]!.outputs, rows, nonFinite)
        : results.flatMap(({ outputs }) => predictor.read(outputs, rows, nonFinite));
    },
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
    `The model has no output '${config.output}'; write one of ${names(signature)} in "output".`,
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
  signature.outputs.map((output) => `'${output.name}'`).join(', ');
