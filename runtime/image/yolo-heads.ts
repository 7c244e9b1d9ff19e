/** @module The heads of YOLO, told apart by the number of labels and by which dimension is longer. */

import type { BoxHead } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import {
  type FoundHead,
  type HeadQuestion,
  innerDims,
  isFloat,
  listOutputs,
  type Output,
  sizeOrUndefined,
} from './outputs.ts';

/** Most rows of an output whose rows are boxes after suppression. */
const MAX_FOUND = 1000;

/** Numbers of a row that is a box after suppression: corners, score and class. */
const FOUND_NUMBERS = 6;

interface Form {
  readonly native: Extract<BoxHead, { kind: 'yolo' | 'yolo-nms' }>;
  readonly classes: number | undefined;
  /** The shape that tells it, in words. */
  readonly shape: string;
}

/** The boxes of any YOLO; `canBeFound` also allows for rows that are boxes after suppression. */
export function yoloHead(
  question: HeadQuestion,
  outputs: readonly Output[],
  canBeFound: boolean,
): FoundHead | string {
  const { hasRows, description } = question;
  const output = boxOutput(outputs, hasRows);
  if (output === undefined)
    return `The heads of YOLO need ${SHAPES}, but the model has ${listOutputs(outputs)}`;
  const form = formOf(question, output, prototypesOf(outputs, hasRows), canBeFound);
  if (typeof form === 'string') return form;
  const head = form.native.kind;
  return {
    head: { kind: 'boxes', head, outputs: [output.name], native: form.native },
    classes: form.classes,
    hasBackground: false,
    notes: description.head === undefined ? [noteOf(head, output, form)] : [],
  };
}

const SHAPES =
  'an output of floats with the shape [rows, 4 + classes, boxes], [rows, boxes, 5 + classes] or [rows, boxes, 6]';

const noteOf = (head: string, { name }: Output, { shape, classes }: Form): string =>
  `The head is ${head}, because the output '${name}' has the shape [rows, ${shape}]${classes === undefined ? '' : ` with ${classes} ${classes === 1 ? 'class' : 'classes'}`}`;

/** Boxes that the graph has suppressed itself. */
export function yoloNmsHead(
  question: HeadQuestion,
  outputs: readonly Output[],
): FoundHead | string {
  const { hasRows } = question;
  const output = boxOutput(outputs, hasRows);
  const [boxes, numbers] = output === undefined ? [0, 0] : innerDims(output, hasRows);
  const prototypes = prototypesOf(outputs, hasRows) ?? 0;
  const fits = numbers === -1 || numbers === FOUND_NUMBERS + prototypes;
  // Points of a pose come after the six numbers. Of grids there are either many more boxes, or fewer boxes than numbers.
  const hasPoints = numbers! > FOUND_NUMBERS && boxes! > numbers! && boxes! <= MOST_FOUND;
  if (output === undefined || !(fits || hasPoints)) {
    return `The head yolo-nms needs an output of floats with the shape [rows, boxes, 6], but the model has ${listOutputs(outputs)}`;
  }
  const extra = fits ? prototypes : numbers! - FOUND_NUMBERS;
  return {
    head: {
      kind: 'boxes',
      head: 'yolo-nms',
      outputs: [output.name],
      native: { kind: 'yolo-nms', extra },
    },
    classes: undefined,
    hasBackground: false,
    notes: [],
  };
}

/** Boxes with coefficients of prototypes, which are the second output. */
export function yoloSegHead(question: HeadQuestion): FoundHead | string {
  const { outputs, hasRows, description } = question;
  const output = boxOutput(outputs, hasRows);
  const prototypes = outputs.find((each) => isFloat(each) && innerDims(each, hasRows).length === 3);
  const count = prototypesOf(outputs, hasRows);
  if (output === undefined || prototypes === undefined || count === undefined) {
    return `The head yolo-seg needs the outputs [rows, 4 + classes + prototypes, boxes] and [rows, prototypes, height, width] of floats, but the model has ${listOutputs(outputs)}`;
  }
  const form = formOf(question, output, count, true);
  if (typeof form === 'string') return form;
  return {
    head: {
      kind: 'masks',
      head: 'yolo-seg',
      outputs: [output.name, prototypes.name],
      native: { kind: 'yolo-seg', boxes: form.native },
    },
    classes: form.classes,
    hasBackground: false,
    notes:
      description.head === undefined
        ? [`${noteOf('yolo-seg', output, form)} and '${prototypes.name}' has ${count} prototypes`]
        : [],
  };
}

/** Most boxes after suppression that have further numbers. */
const MOST_FOUND = 3000;

/** Others that have as many dimensions, such as those of each scale, come after it. */
const boxOutput = (outputs: readonly Output[], hasRows: boolean): Output | undefined =>
  outputs.find((each) => isFloat(each) && innerDims(each, hasRows).length === 2);

/** The number of prototypes of masks; undefined if the graph has none. */
function prototypesOf(outputs: readonly Output[], hasRows: boolean): number | undefined {
  const maps = outputs.find((each) => isFloat(each) && innerDims(each, hasRows).length === 3);
  return maps && sizeOrUndefined(innerDims(maps, hasRows)[0]);
}

function formOf(
  question: HeadQuestion,
  output: Output,
  prototypes: number | undefined,
  canBeFound: boolean,
): Form | string {
  const { labels, exported, hasRows } = question;
  const [first, second] = innerDims(output, hasRows) as [number, number];
  const extra = prototypes ?? 0;
  if (canBeFound && isFound(question, first, second, extra)) {
    return {
      native: { kind: 'yolo-nms', extra },
      classes: undefined,
      shape: `boxes, ${FOUND_NUMBERS + extra}`,
    };
  }
  const later = (classes: number, more = extra): Form => ({
    native: { kind: 'yolo', objectness: false, classes, extra: more },
    classes,
    shape: `4 + classes${more === 0 ? '' : ` + ${more}`}, boxes`,
  });
  const earlier = (classes: number): Form => ({
    native: { kind: 'yolo', objectness: true, classes, extra },
    classes,
    shape: `boxes, 5 + classes${extra === 0 ? '' : ` + ${extra}`}`,
  });
  if (labels !== undefined) {
    const fitsLater = first === 4 + labels + extra;
    const fitsEarlier = second === 5 + labels + extra;
    // Both fit in a tiny graph only, in which there are still more boxes than numbers of a box.
    if (fitsLater && !(fitsEarlier && first > second)) return later(labels);
    if (fitsEarlier) return earlier(labels);
    // Points of a pose come after the classes.
    if (exported?.task === 'pose' && first > 4 + labels) return later(labels, first - 4 - labels);
    const shape = innerDims(output, hasRows).join(', ');
    if (first === -1 && second === -1) {
      return `The output '${output.name}' has the shape [rows, ${shape}], which does not tell how boxes lie in it; export the model with shapes, or write "head": "yolo-nms" if its rows are boxes`;
    }
    throw new ServeError(
      'INVALID_CONFIG',
      `The configuration names ${labels} labels, for which the output '${output.name}' must have the shape [rows, ${4 + labels + extra}, boxes] or [rows, boxes, ${5 + labels + extra}] but has [rows, ${shape}]; name as many labels as the model has classes.`,
    );
  }
  const isLater = second === -1 ? first !== -1 : first !== -1 && first < second;
  const classes = isLater ? first - 4 - extra : second - 5 - extra;
  if (classes >= 1) return isLater ? later(classes) : earlier(classes);
  return `The heads of YOLO need ${SHAPES}, but the output '${output.name}' has [rows, ${first}, ${second}]`;
}

/** Whether rows are boxes after suppression: a few, with six numbers each. */
function isFound(
  { labels, exported }: HeadQuestion,
  first: number,
  second: number,
  extra: number,
): boolean {
  if (second !== FOUND_NUMBERS + extra) return false;
  if (exported?.isEndToEnd) return true;
  // A row of version 5 with one class has as many numbers, and there are thousands of them.
  return first <= MAX_FOUND && !(labels === 1 && first === -1);
}
