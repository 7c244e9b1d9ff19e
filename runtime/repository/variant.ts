/** @module Which of the precisions of a model runs. */

import { ServeError } from '../errors.ts';
import { type Dtype, hasDtype } from './model-file.ts';
import type { GraphFile } from './model-folder.ts';

/** A file that was chosen, with a sentence about the others. */
export interface ChosenFile {
  readonly file: GraphFile;
  readonly notes: readonly string[];
}

/**
 * What a device runs fast, the best first. A GPU takes half the memory and time for 16-bit floats. A CPU has no instructions
 * for them and takes a third longer than for 32 bits, and half the time or less for 8-bit integers, which lose most
 * (.github/decisions/0043).
 */
const FAST: { readonly [Kind in 'cpu' | 'gpu']: readonly Dtype[] } = {
  cpu: ['fp32', 'q8'],
  gpu: ['fp16', 'fp32'],
};

/**
 * Chooses a file. `auto` is the best that the device runs fast, and without any the most exact one.
 *
 * @param files At least one, the most exact first.
 * @param device In the form of `DEVICE`.
 * @throws {ServeError} `INVALID_CONFIG` if there is no file of the precision.
 */
export function chooseVariant(
  files: readonly GraphFile[],
  dtype: Dtype,
  device: string,
): ChosenFile {
  const find = (wanted: Dtype) => files.find(({ name }) => hasDtype(name, wanted));
  const fast = FAST[/^(?:cuda|tensorrt)/.test(device) ? 'gpu' : 'cpu'];
  const automatic = () => fast.map(find).find((file) => file !== undefined) ?? files[0];
  const wanted = dtype === 'auto' ? automatic() : find(dtype);
  const names = files.map(({ name }) => name);
  if (wanted === undefined) {
    throw new ServeError(
      'INVALID_CONFIG',
      `model.json asks for dtype ${dtype}, but there ${names.length === 1 ? 'is only' : 'are only'} ${names.join(', ')}; write the dtype of one of them, or auto.`,
    );
  }
  const unused = names.filter((name) => name !== wanted.name);
  if (unused.length === 0) return { file: wanted, notes: [] };
  const others = `${unused.join(', ')} ${unused.length === 1 ? 'is' : 'are'} there and not used`;
  return {
    file: wanted,
    notes: [`It runs ${wanted.name}; ${others}: "dtype" in model.json chooses`],
  };
}
