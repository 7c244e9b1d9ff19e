/** @module The heads of torchvision, whose outputs list what was found: boxes, scores and labels, and perhaps masks. */

import {
  type FoundHead,
  type HeadQuestion,
  isFloat,
  isWhole,
  named,
  type Output,
  only,
} from './outputs.ts';

type ListedName = 'ssd' | 'retinanet' | 'faster-rcnn' | 'mask-rcnn';

/** Sides of masks that cover a box each are at most this long. */
const BOX_MASK_SIDE = 56;

interface Listed {
  readonly boxes: Output;
  readonly scores: Output;
  readonly labels: Output;
  readonly masks: Output | undefined;
}

/** Outputs by their names or, as exporters number them, by their types and shapes; they have no rows, or one. */
function listedOutputs(outputs: readonly Output[]): Listed | undefined {
  const floats = outputs.filter(isFloat);
  const labels =
    named(outputs, ['labels', 'classes']) ??
    only(outputs, (each) => isWhole(each) && each.dims.length <= 2);
  const boxes =
    named(floats, ['boxes']) ??
    only(floats, ({ dims }) => (dims.length === 2 || dims.length === 3) && dims.at(-1) === 4);
  const scores =
    named(floats, ['scores']) ??
    only(floats, (each) => each !== boxes && each.dims.length === (boxes?.dims.length ?? 0) - 1);
  if (labels === undefined || boxes === undefined || scores === undefined) return undefined;
  // Scores of all classes for each box are another head.
  const isList = ({ dims }: Output) => dims.length === 0 || dims.length === boxes.dims.length - 1;
  if (!isWhole(labels) || !isList(scores) || !isList(labels)) return undefined;
  const masks = named(floats, ['masks']) ?? only(floats, ({ dims }) => dims.length === 4);
  return { boxes, scores, labels, masks };
}

/** Undefined if the outputs are not such lists. */
export function listedHead(
  { outputs }: HeadQuestion,
  name: ListedName | undefined,
): FoundHead | undefined {
  const found = listedOutputs(outputs);
  if (found === undefined) return undefined;
  const { boxes, scores, labels } = found;
  return {
    head: {
      kind: 'boxes',
      head: name === undefined || name === 'mask-rcnn' ? 'faster-rcnn' : name,
      outputs: [boxes.name, scores.name, labels.name],
      native: { kind: 'listed' },
    },
    classes: undefined,
    hasBackground: true,
    notes: name === undefined ? [noteOf('faster-rcnn', [boxes, scores, labels])] : [],
  };
}

/** Undefined if the outputs are not such lists, or have no masks. */
export function maskRcnnHead({ outputs, description }: HeadQuestion): FoundHead | undefined {
  const found = listedOutputs(outputs);
  if (found?.masks === undefined) return undefined;
  const { boxes, scores, labels, masks } = found;
  const [height = -1, width = -1] = masks.dims.slice(-2);
  const inBoxes = height > 0 && height === width && height <= BOX_MASK_SIDE;
  return {
    head: {
      kind: 'masks',
      head: 'mask-rcnn',
      outputs: [boxes.name, scores.name, labels.name, masks.name],
      native: { kind: 'mask-rcnn', inBoxes },
    },
    classes: undefined,
    hasBackground: true,
    notes:
      description.head === undefined ? [noteOf('mask-rcnn', [boxes, scores, labels, masks])] : [],
  };
}

const noteOf = (head: string, outputs: readonly Output[]): string =>
  `The head is ${head}, because the outputs ${outputs.map(({ name }) => `'${name}'`).join(', ')} are lists of ${head === 'mask-rcnn' ? 'boxes, scores, labels and masks' : 'boxes, scores and labels'}`;
