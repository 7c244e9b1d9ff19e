/** @module The tensors of a generation, which a generative version has as its inputs and outputs. */

import type { Tensor } from '../../native/index.ts';
import type { GenerationOptions } from './text-model.ts';

export const INPUT_IDS = 'input_ids';
export const PARAMETERS = 'parameters';
export const OUTPUT_IDS = 'output_ids';
export const FINISH_REASON = 'finish_reason';
export const SCORE = 'score';

/**
 * The input with the options of a generation.
 *
 * @param defaults Those of the version, which are not repeated: there may be more of them than a request may have.
 */
export const parametersTensor = (
  options: GenerationOptions,
  defaults: GenerationOptions,
): Tensor => {
  const own = Object.entries(options).filter(
    ([name, value]) => value !== defaults[name as keyof GenerationOptions],
  );
  // Sorted keys, because the text is part of the cache's key.
  const sorted = own.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { type: 'string', dims: [1], data: [JSON.stringify(Object.fromEntries(sorted))] };
};
