/** @module How the graph of an encoder takes tokens and returns what its task needs. The graph decides, not its configuration. */

import type { FileTensor, TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { TextInputs, TextTaskName } from './text-model.ts';

/** What an input of a graph holds, by the names that optimum and transformers.js write. */
const ROLES = {
  input_ids: 'ids',
  attention_mask: 'mask',
  token_type_ids: 'types',
  position_ids: 'positions',
} as const;

type Spec = FileTensor | TensorSpec;

/**
 * The inputs of a graph that takes tokens.
 *
 * @returns Them, or a sentence without a full stop that says why texts cannot be made into its inputs.
 */
export function encoderInputs(specs: readonly Spec[], padId: number): TextInputs | string {
  const byRole: { [Role in (typeof ROLES)[keyof typeof ROLES]]?: Spec } = {};
  for (const spec of specs) {
    const { name, type, dims } = spec;
    if (!Object.hasOwn(ROLES, name)) {
      return `The graph has the input '${name}', which is not made from text`;
    }
    if ((type !== 'int64' && type !== 'int32') || dims.length !== 2) {
      return `The input '${name}' of the graph must be int64 or int32 and [rows, tokens] but is ${type || 'no tensor'} and [${dims}]`;
    }
    byRole[ROLES[name as keyof typeof ROLES]] = spec;
  }
  const { ids } = byRole;
  if (ids === undefined) return "The graph has no input 'input_ids'";
  const other = specs.find(({ type }) => type !== ids.type);
  if (other !== undefined) {
    return `The inputs '${ids.name}' and '${other.name}' of the graph have different types`;
  }
  const length = ids.dims[1]!;
  return {
    type: ids.type as TextInputs['type'],
    length: length === -1 ? undefined : length,
    padId,
    ids: ids.name,
    mask: byRole.mask?.name,
    types: byRole.types?.name,
    positions: byRole.positions?.name,
  };
}

/** Outputs by the names that exporters give them, the best first; others count if they are the only ones of their form. */
const OUTPUTS: Readonly<Partial<Record<TextTaskName, readonly string[]>>> = {
  'feature-extraction': [
    'last_hidden_state',
    'token_embeddings',
    'sentence_embedding',
    'text_embeds',
    'pooler_output',
  ],
};

/** The number of dimensions of the outputs that a task can read, the best first. */
const RANKS: Readonly<Partial<Record<TextTaskName, readonly number[]>>> = {
  'feature-extraction': [3, 2],
  'token-classification': [3],
};

/**
 * The output that a task reads.
 *
 * @param wanted The output that `model.json` names.
 * @returns It, or a sentence that says why there is no such output, or none that the task can read.
 */
export function encoderOutput(
  task: TextTaskName,
  outputs: readonly TensorSpec[],
  wanted: string | undefined,
): TensorSpec | string {
  const ranks = RANKS[task] ?? [2];
  const fits = ({ type, dims }: TensorSpec) =>
    (type === 'float32' || type === 'float16') && ranks.includes(dims.length);
  const names = outputs.map(({ name }) => `'${name}'`).join(', ');
  if (wanted !== undefined) {
    const found = outputs.find(({ name }) => name === wanted);
    if (found !== undefined && fits(found)) return found;
    const what =
      found === undefined ? 'The model has no output' : `The task ${task} cannot read the output`;
    return `${what} '${wanted}'; write one of ${names} in "output"`;
  }
  const preferred = OUTPUTS[task] ?? ['logits'];
  const named = preferred.flatMap(
    (name) => outputs.find((spec) => spec.name === name && fits(spec)) ?? [],
  );
  if (named[0] !== undefined) return named[0];
  for (const rank of ranks) {
    const alike = outputs.filter((spec) => fits(spec) && spec.dims.length === rank);
    if (alike.length === 1) return alike[0]!;
  }
  const form = ranks.map((rank) => (rank === 3 ? '[rows, tokens, numbers]' : '[rows, numbers]'));
  return `The task ${task} needs an output of floats with the shape ${form.join(' or ')}, but the model has ${names}; write the one to read in "output"`;
}

/**
 * Names for the scores of an output, in their order.
 *
 * @param labels Those of the configuration; without any, the scores are numbered as transformers does it.
 * @throws {ServeError} `INVALID_CONFIG` if there is another number of them than of scores.
 */
export function labelsOfScores(
  { name, dims }: TensorSpec,
  labels: readonly string[] | undefined,
): readonly string[] {
  const scores = dims.at(-1)!;
  if (labels === undefined) {
    return scores === -1 ? [] : Array.from({ length: scores }, (_, i) => `LABEL_${i}`);
  }
  if (scores === -1 || scores === labels.length) return labels;
  throw new ServeError(
    'INVALID_CONFIG',
    `The configuration names ${labels.length} labels, but output '${name}' has ${scores} scores; name as many labels.`,
  );
}
