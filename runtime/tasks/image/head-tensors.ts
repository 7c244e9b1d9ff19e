/** @module The outputs of a run of one image as the functions on images read them. */

import type { BoxHead, HeadTensor, SegmentHead } from '../../../native/index.ts';
import type { TaskResult } from '../task.ts';
import { floatsOf, unfit } from './output-floats.ts';

/** The number of dimensions of each output for one image, without the one of rows. */
const RANKS: Readonly<Record<(BoxHead | SegmentHead)['kind'], readonly number[]>> = {
  yolo: [2],
  'yolo-nms': [2],
  detr: [2, 2],
  listed: [2, 1, 1],
  semantic: [3],
  'yolo-seg': [2, 3],
  'mask-rcnn': [2, 1, 1, 4],
  maskformer: [2, 3],
};

/**
 * The outputs that a head reads, in its order, as float32 and without the dimension of rows, which models of torchvision do not have.
 * Nothing may write to them, because they may be the memory of the outputs.
 *
 * @param names The outputs by the order of the head.
 * @throws {ServeError} `INTERNAL` for an output of another shape or type.
 */
export function headTensors(
  kind: (BoxHead | SegmentHead)['kind'],
  names: readonly string[],
  { outputs }: TaskResult,
): readonly HeadTensor[] {
  const ranks = RANKS[kind];
  return ranks.map((rank, i) => {
    const name = names[i]!;
    const tensor = outputs[name]!;
    return { data: floatsOf(name, tensor), dims: withoutRows(name, tensor.dims, rank) };
  });
}

function withoutRows(name: string, dims: readonly number[], rank: number): readonly number[] {
  if (dims.length === rank) return dims;
  if (dims.length === rank + 1 && dims[0] === 1) return dims.slice(1);
  throw unfit(
    `Output '${name}' of the model has the shape [${dims}] for one image, but its head reads ${rank} dimensions after one of 1 row; another head may fit, which "head" in model.json names.`,
  );
}
