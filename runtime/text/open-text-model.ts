/** @module Makes what the operations on texts know about a version, when its graph and its tokenizer are loaded. */

import type { GenerativeSignature, Signature } from '../../native/index.ts';
import type { TextDescription } from './description.ts';
import { encoderOutput, labelsOfScores } from './encoder.ts';
import { INPUT_IDS, OUTPUT_IDS } from './generation-tensors.ts';
import type { TextInputs, TextModel } from './text-model.ts';
import type { TextTokenizer } from './tokenizer/index.ts';
import { leastOf } from './window.ts';

/** Tokens of a window if no file says how many a text may have. */
const USUAL_WINDOW = 512;

/** What the owner of a model says about its texts, in `model.json` and the settings. */
export interface TextSettings {
  readonly labels?: readonly string[] | undefined;
  readonly threshold?: number | undefined;
  /** The output that the task reads. */
  readonly output?: string | undefined;
  /** `MAX_SEQ_LENGTH`: most tokens of a window. */
  readonly maxTokens: number | undefined;
}

/** Most tokens of a run: what the files say, within the limit of the settings. */
export const windowOf = (
  { window }: TextDescription,
  { maxTokens }: Pick<TextSettings, 'maxTokens'>,
  most?: number,
): number => leastOf([window ?? most ?? USUAL_WINDOW, most, maxTokens])!;

/** The id of padding: the one in the configuration, the one of the token that it names, or that of `tokenizer.json`. */
export async function paddingId(
  { padding: { id, token } }: TextDescription,
  tokenizer: TextTokenizer,
): Promise<number> {
  if (id !== undefined) return id;
  const named = token === undefined ? undefined : await tokenizer.idOf(token);
  return named ?? tokenizer.facts.padding?.id ?? 0;
}

/**
 * @returns The model, or a sentence that says why its task cannot read the outputs.
 * @throws {ServeError} `INVALID_CONFIG` if the labels do not fit the scores.
 */
export function openEncoder(
  description: TextDescription,
  settings: TextSettings,
  signature: Signature,
  inputs: TextInputs,
  tokenizer: TextTokenizer,
): TextModel | string {
  const { task, embedding, problemType } = description;
  const output = encoderOutput(task, signature.outputs, settings.output);
  if (typeof output === 'string') return output;
  const isPooled = output.dims.length === 2;
  const hasLabels = embedding === undefined;
  const width = output.dims.at(-1)!;
  return {
    task,
    tokenizer,
    window: windowOf(description, settings, inputs.length),
    inputs,
    output: output.name,
    labels: hasLabels ? labelsOfScores(output, settings.labels ?? description.labels) : [],
    problemType,
    threshold: settings.threshold,
    embedding: embedding && {
      ...embedding,
      // An output that has one vector for each text is what comes out of all modules.
      pooling: isPooled ? undefined : embedding.pooling,
      dense: isPooled ? [] : embedding.dense,
      dimensions:
        isPooled && width !== -1
          ? width
          : (embedding.dimensions ?? widthOf(width, embedding.pooling)),
    },
    generation: undefined,
    // A request may show that dimension 0 does not count rows.
    get batched() {
      return signature.batching.enabled;
    },
  };
}

const widthOf = (width: number, pooling: readonly string[] | undefined): number | undefined =>
  width === -1 ? undefined : width * (pooling?.length ?? 1);

export function openGenerator(
  description: TextDescription,
  settings: TextSettings,
  { maxPositions }: GenerativeSignature,
  padId: number,
  tokenizer: TextTokenizer,
): TextModel {
  const { generation } = description;
  const limit = generation!.encoderDecoder ? undefined : maxPositions;
  return {
    task: description.task,
    tokenizer,
    window: windowOf(description, settings, limit),
    inputs: {
      type: 'int64',
      length: undefined,
      padId,
      ids: INPUT_IDS,
      mask: undefined,
      types: undefined,
      positions: undefined,
    },
    output: OUTPUT_IDS,
    labels: [],
    problemType: undefined,
    threshold: undefined,
    embedding: undefined,
    generation: { ...generation!, positions: leastOf([generation!.positions, maxPositions]) },
    batched: false,
  };
}
