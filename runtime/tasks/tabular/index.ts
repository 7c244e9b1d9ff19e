/** @module The tasks of tabular models: they take rows of features and return one prediction for each row. */

import { z } from 'zod';
import type { Signature, TensorSpec } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { NonFinite } from '../../non-finite.ts';
import type { PreparedInput, Task, TaskDefinition, TaskModel } from '../task.ts';
import { classificationPredictor, labelledOutputs, labelPredictor } from './classification.ts';
import type { Features } from './columns.ts';
import { type Example, readExample } from './example.ts';
import { type Prediction, type Predictor, rowSize } from './predictor.ts';
import { rawPredictor } from './raw.ts';
import { regressionPredictor } from './regression.ts';
import { checkRows, otherRowNotes } from './rows.ts';
import { holdsScores } from './scores.ts';
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
  /** The row that `model.json` shows as an example. */
  readonly example: Example | undefined;
  prepare(features: Features, options: TabularOptions): PreparedInput<TabularContext>;
}

const scalar = z.union([z.number(), z.string(), z.boolean(), z.null()]);

/** The keys of `model.json` that describe a tabular model. */
const tabularConfig = z.object({
  input: z.string().optional().describe('The input that takes the features'),
  output: z.string().optional().describe('The output that holds the prediction'),
  features: z.array(z.string()).optional().describe('Names of the features, in order'),
  example: z
    .array(z.union([scalar, z.array(scalar)]))
    .optional()
    .describe('A row that the model takes, which the playground and the start show'),
  missing: z
    .literal('nan')
    .optional()
    .describe('`nan`: a `null` among floats is a missing value, and NaN for the model'),
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
type TabularDefinition = TaskDefinition<typeof tabularConfig.shape, TabularTask>;

export const classification: TabularDefinition = {
  config: tabularConfig,
  create(model, config) {
    const { labels, activation = 'none', output } = config;
    const labelled = output === undefined ? labelledOutputs(model.signature) : undefined;
    if (labelled !== undefined && labels === undefined) {
      return tabularTask('classification', model, config, labelPredictor(labelled, activation));
    }
    const spec = labelled?.scores ?? onlyOutput(model.signature, config);
    const known = labels ?? spec.labels ?? labelsBeside(model, spec);
    const predictor = classificationPredictor(spec, known, activation);
    const isUnnamed = known === undefined && Object.keys(model.labels ?? {}).length > 0;
    const notes = isUnnamed ? [unusedLabels(spec)] : [];
    return tabularTask('classification', model, config, predictor, notes);
  },
};

export const regression: TabularDefinition = {
  config: tabularConfig,
  create(model, config) {
    const predictor = regressionPredictor(onlyOutput(model.signature, config));
    const notes = unusedKeys(config, ['labels', 'activation'], 'the task is "regression"');
    return tabularTask('regression', model, config, predictor, notes);
  },
};

/**
 * A model without a task in `model.json`. A classifier is recognised by its outputs: it returns a label and its
 * probabilities, or one score for each of the labels in `model.json`. The predictions of any other model are the
 * elements of its first output.
 */
export const raw: TabularDefinition = {
  config: tabularConfig,
  create(model, config) {
    const { output, activation = 'none' } = config;
    const labelled = output === undefined ? labelledOutputs(model.signature) : undefined;
    const named = namedScores(model.signature, config);
    const spec = labelled?.scores ?? named ?? chosenOutput(model.signature, config);
    const isClassifier = labelled !== undefined || spec.labels !== undefined;
    const rowNotes = isClassifier ? [] : otherRowNotes(model, spec);
    if (named === spec) return classification.create(model, { ...config, output: spec.name });
    const expected = 'write "task": "classification", and in "output" the output with the scores';
    const noLabels = unusedKeys(config, ['labels'], expected);
    if (isClassifier) {
      const predictor =
        labelled === undefined
          ? classificationPredictor(spec, spec.labels, activation)
          : labelPredictor(labelled, activation);
      return tabularTask('classification', model, config, predictor, noLabels);
    }
    const notes = [...rowNotes, ...noLabels, ...unusedKeys(config, ['activation'], expected)];
    return tabularTask('raw', model, config, rawPredictor(spec), notes);
  },
};

/** The output that has one score for each of the labels in `model.json`, or undefined if there are none or several. */
function namedScores({ outputs }: Signature, { labels, output }: TabularConfig) {
  if (labels === undefined || labels.length < 2) return undefined;
  const fitting = outputs.filter((spec) => holdsScores(spec) && rowSize(spec) === labels.length);
  const chosen = fitting.filter(({ name }) => output === undefined || output === name);
  return chosen.length === 1 ? chosen[0] : undefined;
}

/** Labels from another file of the model's folder, or undefined if they do not fit the output. */
function labelsBeside({ labels }: TaskModel, spec: TensorSpec): readonly string[] | undefined {
  const found = labels?.[spec.name];
  const classes = rowSize(spec);
  return classes === -1 || classes === found?.length ? found : undefined;
}

const unusedLabels = ({ name }: TensorSpec) =>
  `The labels in config.json have no effect on predictions: output '${name}' does not have one score for each of them; write "labels" in model.json`;

/** Sentences about keys of the configuration that have no effect, for those of `keys` that it has. */
function unusedKeys(
  config: TabularConfig,
  keys: readonly ('labels' | 'activation')[],
  reason: string,
): readonly string[] {
  return keys
    .filter((key) => config[key] !== undefined && config[key] !== 'none')
    .map((key) => `${JSON.stringify(key)} in model.json has no effect on predictions: ${reason}`);
}

function tabularTask(
  name: TabularName,
  { name: model, signature }: TaskModel,
  config: TabularConfig,
  predictor: Predictor,
  notes: readonly string[] = [],
): TabularTask {
  const layOut = featureTable(signature, config);
  return {
    name,
    outputs: predictor.outputs,
    notes,
    example: readExample(signature, config, layOut),
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
