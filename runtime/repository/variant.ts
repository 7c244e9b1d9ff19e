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
 * Chooses a file. With `auto`, a GPU runs 16-bit floats, which take half its memory and of its time. A CPU runs what is most
 * exact: it has no instructions for 16-bit floats, and results of 8-bit integers may depend on what else is in a batch
 * (.github/decisions/0043).
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
  const [mostExact] = files;
  const half = files.find(({ name }) => hasDtype(name, 'fp16'));
  const isGpu = /^(?:cuda|tensorrt)/.test(device);
  const wanted =
    dtype === 'auto'
      ? ((isGpu ? half : undefined) ?? mostExact!)
      : files.find(({ name }) => hasDtype(name, dtype));
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
