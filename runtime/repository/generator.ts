/** @module Which graphs of a folder generate text together, as optimum and transformers.js export them. */

import type { MediaTaskName } from '../tasks/index.ts';
import type { GeneratorFiles, Graph, GraphFile } from './model-folder.ts';

/**
 * The graphs that generate text together.
 *
 * @param task What the model does, as `model.json` or `config.json` says.
 * @returns Undefined if some of them are missing or the task is another one: then each graph is a model of its own.
 */
export function generatorOf(
  graphs: readonly Graph[],
  task: MediaTaskName | undefined,
): GeneratorFiles | undefined {
  const part = (name: string): readonly GraphFile[] | undefined =>
    graphs.find((graph) => graph.part === name)?.files;
  const merged = part('decoder_model_merged');
  const first = part('decoder_model');
  const later = part('decoder_with_past_model');
  const whole = task === 'text-generation' ? part('') : undefined;
  const decoder = merged ?? whole ?? first;
  const encoder = part('encoder_model');
  if (decoder === undefined) return undefined;
  const decoderWithPast = decoder === first ? later : undefined;
  if (task === 'text-generation') return { encoder: undefined, decoder, decoderWithPast };
  const isComplete = encoder !== undefined && (merged ?? later) !== undefined;
  return task === 'text2text-generation' && isComplete
    ? { encoder, decoder, decoderWithPast }
    : undefined;
}
