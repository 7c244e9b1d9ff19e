/** @module Which input of a graph takes the image, and in which form. */

import type { FileTensor, TensorSpec } from '../../native/index.ts';

type Input = FileTensor | TensorSpec;

export interface FoundInput {
  readonly name: string;
  readonly type: 'uint8' | 'float32' | 'float16';
  /** Whether dimension 0 counts images. */
  readonly hasRows: boolean;
  /** Whether the channels of a pixel lie beside each other. */
  readonly channelsLast: boolean;
  readonly channels: 1 | 3;
  /** Undefined if any length fits. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly mask: { readonly name: string; readonly type: 'int64' | 'bool' } | undefined;
}

const TYPES = ['float32', 'float16', 'uint8'] as const;

/** The name of the input that tells padding from the image. */
const MASK = 'pixel_mask';

/**
 * The input that takes the image.
 *
 * @returns It, or a sentence without a full stop that says why images cannot be made into the inputs.
 */
export function findInput(inputs: readonly Input[]): FoundInput | string {
  const isImage = ({ type, dims }: Input) =>
    TYPES.some((each) => each === type) && (dims.length === 4 || dims.length === 3);
  const image = inputs.find((each) => each.name !== MASK && isImage(each));
  if (image === undefined) {
    const list = inputs.map(
      ({ name, type, dims }) => `'${name}' ${type || 'no tensor'} [${dims.join(', ')}]`,
    );
    return `An image needs an input float32, float16 or uint8 with the shape [rows, channels, height, width] or [rows, height, width, channels], but the model has ${list.join(', ')}`;
  }
  const mask = inputs.find(({ name }) => name === MASK);
  if (mask !== undefined && mask.type !== 'int64' && mask.type !== 'bool') {
    return `The input '${MASK}' must be int64 or bool but is ${mask.type || 'no tensor'}`;
  }
  const other = inputs.find((each) => each !== image && each !== mask);
  if (other !== undefined) {
    return `The graph has the input '${other.name}' beside '${image.name}', which is not made from an image`;
  }
  const hasRows = image.dims.length === 4;
  const dims = hasRows ? image.dims.slice(1) : image.dims;
  const layout = layoutOf(dims);
  if (layout === undefined) {
    return `The input '${image.name}' must have 1 or 3 channels, as its first or its last dimension of an image, but has the shape [${image.dims.join(', ')}]`;
  }
  const [height, width] = layout.channelsLast ? dims : dims.slice(1);
  if (image.dims.includes(0)) {
    return `The input '${image.name}' takes no images, because its shape [${image.dims.join(', ')}] has a 0`;
  }
  return {
    name: image.name,
    type: image.type as FoundInput['type'],
    hasRows,
    ...layout,
    width: width === -1 ? undefined : width,
    height: height === -1 ? undefined : height,
    mask: mask && { name: MASK, type: mask.type as 'int64' | 'bool' },
  };
}

/** By the dimension that can be a number of channels, the first before the last; undefined if none can. */
function layoutOf(
  dims: readonly number[],
): Pick<FoundInput, 'channels' | 'channelsLast'> | undefined {
  const [first, , last] = dims;
  const places = [
    [first, false],
    [last, true],
  ] as const;
  for (const [channels, channelsLast] of places) {
    if (channels === 3 || channels === 1) return { channels, channelsLast };
  }
  return first === -1 ? { channels: 3, channelsLast: false } : undefined;
}
