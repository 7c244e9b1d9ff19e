/** @module The outputs of a graph, and what is asked and answered about how they describe images. */

import type { FileTensor, TensorSpec } from '../../native/index.ts';
import type { ImageDescription, ImageHead } from './image-model.ts';
import type { UltralyticsExport } from './ultralytics.ts';

/** An output as a file or a session declares it. */
export type Output = FileTensor | TensorSpec;

/** What decides how outputs are read. */
export interface HeadQuestion {
  readonly description: Pick<
    ImageDescription,
    'task' | 'head' | 'architecture' | 'modelType' | 'problemType'
  >;
  readonly outputs: readonly Output[];
  /** Whether dimension 0 of the outputs counts images. */
  readonly hasRows: boolean;
  /** The number of labels; undefined if no file names any. */
  readonly labels: number | undefined;
  readonly exported: UltralyticsExport | undefined;
  /** The output that `model.json` names, for tasks that read one. */
  readonly output?: string | undefined;
}

export interface FoundHead {
  readonly head: ImageHead;
  /** How many classes the outputs have; undefined if their shapes do not tell. */
  readonly classes: number | undefined;
  /** Whether class 0 is what belongs to none, as in detectors of torchvision. */
  readonly hasBackground: boolean;
  /** How it was told, if no file says it. */
  readonly notes: readonly string[];
}

export const isFloat = ({ type }: Output): boolean => type === 'float32' || type === 'float16';

export const isWhole = ({ type }: Output): boolean => type === 'int64' || type === 'int32';

/** The outputs in words, for messages. */
export const listOutputs = (outputs: readonly Output[]): string =>
  outputs
    .map(({ name, dims, type }) => `'${name}' ${type || 'no tensor'} [${dims.join(', ')}]`)
    .join(', ');

/** The dimensions of one image. */
export const innerDims = (output: Output, hasRows: boolean): readonly number[] =>
  hasRows ? output.dims.slice(1) : output.dims;

/** The first output with one of the names, the best name first. */
export const named = (outputs: readonly Output[], names: readonly string[]): Output | undefined =>
  names.flatMap((name) => outputs.find((output) => output.name === name) ?? [])[0];

export const sizeOrUndefined = (size: number | undefined): number | undefined =>
  size === undefined || size < 0 ? undefined : size;

export function only<Item>(
  items: readonly Item[],
  fits: (item: Item) => boolean,
): Item | undefined {
  const found = items.filter(fits);
  return found.length === 1 ? found[0] : undefined;
}
