/** @module The tensors of a generation, which a generative version has as its inputs and outputs. */

import type { Tensor } from '../../native/index.ts';

export const INPUT_IDS = 'input_ids';
export const PARAMETERS = 'parameters';
export const OUTPUT_IDS = 'output_ids';
export const FINISH_REASON = 'finish_reason';
export const SCORE = 'score';

/** The input with the options of a generation. */
export const parametersTensor = (options: object): Tensor => ({
  type: 'string',
  dims: [1],
  data: [JSON.stringify(options)],
});
