/** @module A legal input of a model that takes text, for runs before it serves: zeros may be no tokens that it knows. */

import type { Tensor, Tensors } from '../../native/index.ts';
import { PARAMETERS, parametersTensor } from './generation-tensors.ts';
import type { TextModel } from './text-model.ts';

const TEXT = 'a';

/** One row with the tokens of a short text. */
export async function exampleRow({
  tokenizer,
  inputs,
  window,
  generation,
}: TextModel): Promise<Tensors> {
  const [encoded] = await tokenizer.encode([TEXT], { window, overflow: 'cut' });
  const { ids } = encoded!.windows[0]!;
  const known = ids.length === 0 ? Int32Array.of(inputs.padId) : ids;
  const length = inputs.length ?? known.length;
  const tensor = (at: (index: number) => number): Tensor => {
    const numbers = Array.from({ length }, (_, index) => at(index));
    const dims = [1, length];
    return inputs.type === 'int64'
      ? { type: 'int64', dims, data: BigInt64Array.from(numbers, BigInt) }
      : { type: 'int32', dims, data: Int32Array.from(numbers) };
  };
  const row: Record<string, Tensor> = {
    [inputs.ids]: tensor((index) => known[index] ?? inputs.padId),
  };
  if (inputs.mask !== undefined) row[inputs.mask] = tensor((index) => Number(index < known.length));
  if (inputs.types !== undefined) row[inputs.types] = tensor(() => 0);
  if (inputs.positions !== undefined) row[inputs.positions] = tensor((index) => index);
  if (generation === undefined) return row;
  return { ...row, [PARAMETERS]: parametersTensor({ maxNewTokens: 1 }, {}) };
}
