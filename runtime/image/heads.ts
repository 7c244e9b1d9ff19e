/** @module Finds the outputs of a graph that a task reads, and tells how they describe classes, boxes and masks. */

import { listedHead, maskRcnnHead } from './listed-heads.ts';
import {
  type FoundHead,
  type HeadQuestion,
  innerDims,
  isFloat,
  listOutputs,
  named,
  type Output,
  only,
  sizeOrUndefined,
} from './outputs.ts';
import { yoloHead, yoloNmsHead, yoloSegHead } from './yolo-heads.ts';

/**
 * The head of the graph.
 *
 * @returns It, or a sentence without a full stop that says why the task cannot read the outputs, and what it needs.
 * @throws {ServeError} `INVALID_CONFIG` if the labels do not fit the outputs that they are to name.
 */
export function findHead(question: HeadQuestion): FoundHead | string {
  switch (question.description.task) {
    case 'image-classification':
      return scoresHead(question);
    case 'image-feature-extraction':
      return vectorHead(question);
    case 'object-detection':
      return boxesHead(question);
    case 'image-segmentation':
      return masksHead(question);
  }
}

/** The output that `model.json` names, or a sentence if it cannot be read. */
function chosen(
  { output, outputs, hasRows, description: { task } }: HeadQuestion,
  ranks: readonly number[],
): Output | string | undefined {
  if (output === undefined) return undefined;
  const found = outputs.find(({ name }) => name === output);
  if (found && isFloat(found) && ranks.includes(innerDims(found, hasRows).length)) return found;
  const what = found ? `The task ${task} cannot read the output` : 'The model has no output';
  return `${what} '${output}'; write one of ${outputs.map(({ name }) => `'${name}'`).join(', ')} in "output"`;
}

/** Numbers that a graph has made into probabilities itself are in outputs with such names. */
const PROBABILITIES = /softmax|sigmoid|prob/i;

function scoresHead(question: HeadQuestion): FoundHead | string {
  const { outputs, hasRows, exported, description } = question;
  const fits = outputs.filter((each) => isFloat(each) && innerDims(each, hasRows).length === 1);
  const wanted = chosen(question, [1]);
  if (typeof wanted === 'string') return wanted;
  const output = wanted ?? named(fits, ['logits']) ?? (fits.length === 1 ? fits[0] : undefined);
  if (output === undefined) {
    return `The task image-classification needs an output of floats with the shape [rows, classes], but the model has ${listOutputs(outputs)}; write the one to read in "output"`;
  }
  const notes: string[] = [];
  let areProbabilities = false;
  // What model.json or config.json says about the scores leaves nothing to tell.
  if (description.problemType === undefined) {
    if (exported?.task === 'classify') {
      areProbabilities = true;
      notes.push(
        'The scores are probabilities already, because the metadata says that Ultralytics exported a classifier',
      );
    } else if (PROBABILITIES.test(output.name)) {
      areProbabilities = true;
      notes.push(
        `The scores are probabilities already, because the output is called '${output.name}'; write "problem_type" in model.json if they are not`,
      );
    }
  }
  return {
    head: { kind: 'scores', output: output.name, areProbabilities },
    classes: sizeOrUndefined(output.dims.at(-1)),
    hasBackground: false,
    notes,
  };
}

/** Outputs with a vector for each image, the best first. */
const VECTORS = ['image_embeds', 'sentence_embedding', 'pooler_output', 'last_hidden_state'];

/** Models whose first patch stands for the image; others need the mean of all. */
const NO_CLASS_PATCH =
  /^(?:swin|siglip|hiera|pvt|poolformer|segformer|dinat|levit|convnext|focalnet)/;

function vectorHead(question: HeadQuestion): FoundHead | string {
  const { outputs, hasRows, description } = question;
  const rankOf = (each: Output) => innerDims(each, hasRows).length;
  // Pooled maps of convolutional models are [rows, dimensions, 1, 1].
  const isPooledMap = (each: Output) => {
    const [, ...sides] = innerDims(each, hasRows);
    return (
      sides.length === 2 && (sides.every((side) => side === 1) || each.name === 'pooler_output')
    );
  };
  const fits = outputs.filter(
    (each) => isFloat(each) && (rankOf(each) === 1 || rankOf(each) === 2 || isPooledMap(each)),
  );
  const wanted = chosen(question, [1, 2, 3]);
  if (typeof wanted === 'string') return wanted;
  const ofRank = (rank: number) => {
    const alike = fits.filter((each) => rankOf(each) === rank);
    return alike.length === 1 ? alike[0] : undefined;
  };
  const output = wanted ?? named(fits, VECTORS) ?? ofRank(1) ?? ofRank(2);
  if (output === undefined) {
    return `The task image-feature-extraction needs an output of floats with the shape [rows, numbers] or [rows, patches, numbers], but the model has ${listOutputs(outputs)}; write the one to read in "output"`;
  }
  const hasPatches = rankOf(output) === 2;
  const isMean = NO_CLASS_PATCH.test(description.modelType ?? '');
  return {
    head: {
      kind: 'vector',
      output: output.name,
      pooling: hasPatches ? (isMean ? 'mean' : 'cls') : 'none',
    },
    classes: undefined,
    hasBackground: false,
    notes: hasPatches
      ? [
          `The vector of an image is ${isMean ? 'the mean of all patches' : 'that of the first patch'} of '${output.name}'`,
        ]
      : [],
  };
}

function boxesHead(question: HeadQuestion): FoundHead | string {
  const { outputs, description, exported } = question;
  if (exported?.task === 'obb') {
    return 'The metadata says that the model finds turned boxes, which are not supported; export a model that detects';
  }
  switch (description.head) {
    case 'yolo':
    case 'yolo-seg':
      return yoloHead(question, outputs, false);
    case 'yolo-nms':
      return yoloNmsHead(question, outputs);
    case 'detr':
      return detrHead(question) ?? needs('detr', outputs);
    case 'ssd':
    case 'retinanet':
    case 'faster-rcnn':
    case 'mask-rcnn':
      return listedHead(question, description.head) ?? needs(description.head, outputs);
    case 'semantic':
    case 'maskformer':
      return `"head" is '${description.head}', which has no boxes; write "task": "image-segmentation", or another head`;
    case undefined: {
      const found = detrHead(question) ?? listedHead(question, undefined);
      return found ?? yoloHead(question, outputs, true);
    }
  }
}

/** What the outputs of a head look like, for messages. */
const SHAPES = {
  detr: "'logits' [rows, queries, classes] and 'pred_boxes' [rows, queries, 4]",
  ssd: 'boxes [n, 4], scores [n] of floats, and labels [n] of whole numbers',
  retinanet: 'boxes [n, 4], scores [n] of floats, and labels [n] of whole numbers',
  'faster-rcnn': 'boxes [n, 4], scores [n] of floats, and labels [n] of whole numbers',
  'mask-rcnn':
    'boxes [n, 4], scores [n], labels [n] of whole numbers, and masks [n, 1, height, width]',
  maskformer:
    "'class_queries_logits' [rows, queries, classes + 1] and 'masks_queries_logits' [rows, queries, height, width]",
  semantic: 'floats with the shape [rows, classes, height, width]',
} as const;

const needs = (head: keyof typeof SHAPES, outputs: readonly Output[]): string =>
  `The head ${head} needs the outputs ${SHAPES[head]}, but the model has ${listOutputs(outputs)}`;

/** Models whose last class means no object. The others of DETR's kind have a sigmoid for each class. */
const SOFTMAX = /^(?:detr|yolos|table-transformer)$/;

function detrHead({
  outputs,
  hasRows,
  description: { head, modelType },
  labels,
}: HeadQuestion): FoundHead | undefined {
  const inner = (each: Output) => innerDims(each, hasRows);
  const flat = outputs.filter((each) => isFloat(each) && inner(each).length === 2);
  const boxes = named(flat, ['pred_boxes', 'boxes']) ?? only(flat, (each) => inner(each)[1] === 4);
  const logits =
    named(flat, ['logits', 'pred_logits', 'labels', 'scores']) ??
    only(flat, (each) => each !== boxes && inner(each)[0] === (boxes && inner(boxes)[0]));
  if (boxes === undefined || logits === undefined || flat.length < 2) return undefined;
  if (![4, -1].includes(inner(boxes)[1]!)) return undefined;
  const width = sizeOrUndefined(inner(logits)[1]);
  const fromType = modelType === undefined ? undefined : SOFTMAX.test(modelType);
  const isSoftmax =
    fromType ?? (width === undefined || labels === undefined || width === labels + 1);
  const notes = [
    ...(head === undefined
      ? [
          `The head is detr, because the outputs '${logits.name}' and '${boxes.name}' have its shapes`,
        ]
      : []),
    ...(fromType === undefined
      ? [
          isSoftmax
            ? 'The last class of the logits is taken to mean no object, as in DETR'
            : 'Each class is taken to have a probability of its own, as in RT-DETR, because there are as many logits as labels',
        ]
      : []),
  ];
  return {
    head: {
      kind: 'boxes',
      head: 'detr',
      outputs: [logits.name, boxes.name],
      native: { kind: 'detr', activation: isSoftmax ? 'softmax' : 'sigmoid' },
    },
    classes: width === undefined ? undefined : width - Number(isSoftmax),
    hasBackground: false,
    notes,
  };
}

function masksHead(question: HeadQuestion): FoundHead | string {
  const { outputs, description } = question;
  switch (description.head) {
    case 'semantic':
      return semanticHead(question) ?? needs('semantic', outputs);
    case 'yolo-seg':
      return yoloSegHead(question);
    case 'mask-rcnn':
      return maskRcnnHead(question) ?? needs('mask-rcnn', outputs);
    case 'maskformer':
      return maskformerHead(question) ?? needs('maskformer', outputs);
    case undefined: {
      const found = maskRcnnHead(question) ?? maskformerHead(question);
      if (found !== undefined) return found;
      const maps = outputs.filter((each) => innerDims(each, question.hasRows).length === 3);
      const hasBoxes = outputs.some((each) => innerDims(each, question.hasRows).length === 2);
      if (maps.length === 1 && hasBoxes) return yoloSegHead(question);
      return semanticHead(question) ?? needs('semantic', outputs);
    }
    default:
      return `"head" is '${description.head}', which has no masks; write "task": "object-detection", or another head`;
  }
}

function semanticHead(question: HeadQuestion): FoundHead | string | undefined {
  const { outputs, hasRows, description, labels } = question;
  const maps = outputs.filter((each) => isFloat(each) && innerDims(each, hasRows).length === 3);
  const wanted = chosen(question, [3]);
  const output =
    (typeof wanted === 'object' ? wanted : undefined) ??
    named(maps, ['logits', 'out', 'output']) ??
    maps[0];
  if (output === undefined) return undefined;
  const [first, , last] = innerDims(output, hasRows) as [number, number, number];
  if (
    last >= 1 &&
    (labels === undefined ? last <= 4 && first > 4 : last === labels && first !== labels)
  ) {
    return `The output '${output.name}' has the shape [${output.dims.join(', ')}] with the classes last, but the head semantic needs [rows, classes, height, width]; export the model with the channels first`;
  }
  return {
    head: { kind: 'masks', head: 'semantic', outputs: [output.name], native: { kind: 'semantic' } },
    classes: sizeOrUndefined(innerDims(output, hasRows)[0]),
    hasBackground: false,
    notes:
      description.head === undefined
        ? [
            `The head is semantic, because the output '${output.name}' has the shape [rows, classes, height, width]`,
          ]
        : [],
  };
}

function maskformerHead({ outputs, hasRows, description }: HeadQuestion): FoundHead | undefined {
  const inner = (each: Output) => innerDims(each, hasRows);
  const rows = outputs.filter((each) => isFloat(each) && inner(each).length === 2);
  const maps = outputs.filter((each) => isFloat(each) && inner(each).length === 3);
  const isGuess = description.head === undefined;
  const logits = named(rows, ['class_queries_logits', 'logits']);
  const masks =
    named(maps, ['masks_queries_logits', 'pred_masks']) ?? (isGuess ? undefined : maps[0]);
  if (logits === undefined || masks === undefined) return undefined;
  const width = sizeOrUndefined(inner(logits)[1]);
  return {
    head: {
      kind: 'masks',
      head: 'maskformer',
      outputs: [logits.name, masks.name],
      native: { kind: 'maskformer' },
    },
    classes: width === undefined ? undefined : width - 1,
    hasBackground: false,
    notes: isGuess
      ? [
          `The head is maskformer, because there are the outputs '${logits.name}' and '${masks.name}'`,
        ]
      : [],
  };
}
