/** @module Heads are told by the configuration, and else by the names and shapes of outputs, with a note that says how. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileTensor } from '../../../native/index.ts';
import type { ImageDescription, ImageHead } from '../../../runtime/image/index.ts';
import {
  detrOutputs,
  graphOf,
  maskRcnnOutputs,
  names,
  openedModel,
  tensor,
  ULTRALYTICS,
} from '../../support/image-folder.ts';

interface Case {
  readonly name: string;
  readonly description?: Partial<ImageDescription>;
  readonly outputs: readonly FileTensor[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly head: ImageHead;
  /** A part of the note that says how the head was told; undefined if a file says it. */
  readonly note?: string;
  readonly labels?: number;
}

function check(task: ImageDescription['task'], cases: readonly Case[]): void {
  for (const { name, description, outputs, metadata, head, note, labels } of cases) {
    test(name, () => {
      const graph = graphOf(outputs, {
        metadata,
        inputs: [tensor('images', [-1, 3, 224, 224])],
      });
      const { model, notes } = openedModel({ task, ...description }, graph);
      assert.deepEqual(model.head, head);
      const told = notes.filter((each) => /^The head is|^The scores are|^The vector/.test(each));
      if (note === undefined) assert.deepEqual(told, []);
      else
        assert.ok(
          told.some((each) => each.includes(note)),
          notes.join('\n'),
        );
      if (labels !== undefined) assert.equal(model.labels.length, labels);
    });
  }
}

const yolo = (output: string, objectness: boolean, classes: number, extra = 0): ImageHead => ({
  kind: 'boxes',
  head: 'yolo',
  outputs: [output],
  native: { kind: 'yolo', objectness, classes, extra },
});
const yoloNms = (output: string, extra = 0): ImageHead => ({
  kind: 'boxes',
  head: 'yolo-nms',
  outputs: [output],
  native: { kind: 'yolo-nms', extra },
});
const detr = (
  activation: 'softmax' | 'sigmoid',
  outputs = ['logits', 'pred_boxes'],
): ImageHead => ({
  kind: 'boxes',
  head: 'detr',
  outputs,
  native: { kind: 'detr', activation },
});
const listed = (
  outputs: readonly string[],
  head: 'ssd' | 'retinanet' | 'faster-rcnn' = 'faster-rcnn',
): ImageHead => ({ kind: 'boxes', head, outputs, native: { kind: 'listed' } });

const labelled = { labels: names(80) };

describe('boxes', () => {
  check('object-detection', [
    {
      name: 'version 8 with 80 labels',
      description: labelled,
      outputs: [tensor('output0', [1, 84, 8400])],
      head: yolo('output0', false, 80),
      note: "The head is yolo, because the output 'output0' has the shape [rows, 4 + classes, boxes] with 80 classes",
    },
    {
      name: 'version 8 without labels',
      outputs: [tensor('output0', [-1, 84, 8400])],
      head: yolo('output0', false, 80),
      note: '[rows, 4 + classes, boxes] with 80 classes',
      labels: 80,
    },
    {
      name: 'version 8 with open numbers of boxes',
      outputs: [tensor('output0', [-1, 24, -1])],
      head: yolo('output0', false, 20),
      note: 'with 20 classes',
    },
    {
      name: 'version 5 with 80 labels',
      description: labelled,
      outputs: [tensor('output', [1, 25200, 85])],
      head: yolo('output', true, 80),
      note: '[rows, boxes, 5 + classes] with 80 classes',
    },
    {
      name: 'version 7 with outputs of each scale behind it',
      outputs: [
        tensor('output', [-1, 25200, 85]),
        tensor('516', [-1, 3, 80, 80, 85]),
        tensor('528', [-1, 3, 40, 40, 85]),
      ],
      head: yolo('output', true, 80),
      note: 'with 80 classes',
    },
    {
      name: 'version 5 with open numbers of boxes',
      outputs: [tensor('output', [-1, -1, 85])],
      head: yolo('output', true, 80),
      note: '[rows, boxes, 5 + classes]',
    },
    {
      name: 'version 5 with one class is not taken for boxes after suppression',
      description: { labels: ['face'] },
      outputs: [tensor('output', [1, 25200, 6])],
      head: yolo('output', true, 1),
      note: '[rows, boxes, 5 + classes] with 1 class',
    },
    {
      name: 'a tiny version 8, of which the labels tell that it has less boxes than numbers',
      description: labelled,
      outputs: [tensor('output0', [1, 84, 21])],
      head: yolo('output0', false, 80),
      note: '4 + classes',
    },
    {
      name: 'a tiny version 5',
      description: labelled,
      outputs: [tensor('output0', [1, 63, 85])],
      head: yolo('output0', true, 80),
      note: '5 + classes',
    },
    {
      name: 'version 10',
      description: labelled,
      outputs: [tensor('output0', [1, 300, 6])],
      head: yoloNms('output0'),
      note: "The head is yolo-nms, because the output 'output0' has the shape [rows, boxes, 6]",
      labels: 80,
    },
    {
      name: 'suppression in the graph with an open number of boxes',
      outputs: [tensor('output0', [-1, -1, 6])],
      head: yoloNms('output0'),
      note: 'yolo-nms',
    },
    {
      name: 'one class and suppression in the graph, by the metadata',
      outputs: [tensor('output0', [1, -1, 6])],
      metadata: { ...ULTRALYTICS, names: "{0: 'face'}", end2end: 'True' },
      head: yoloNms('output0'),
      note: 'yolo-nms',
      labels: 1,
    },
    {
      name: 'a segmenter whose boxes are asked for',
      description: labelled,
      outputs: [tensor('output0', [1, 116, 8400]), tensor('output1', [1, 32, 160, 160])],
      head: yolo('output0', false, 80, 32),
      note: '[rows, 4 + classes + 32, boxes]',
    },
    {
      name: 'a pose, whose points are left out',
      outputs: [tensor('output0', [1, 56, 8400])],
      metadata: { ...ULTRALYTICS, task: 'pose', names: "{0: 'person'}" },
      head: yolo('output0', false, 1, 51),
      note: '4 + classes + 51',
    },
    {
      name: 'a head that model.json names',
      description: { head: 'yolo-nms' },
      outputs: [tensor('output0', [1, 2000, 7])],
      head: yoloNms('output0', 1),
    },
    {
      name: 'the head yolo is not taken for boxes after suppression',
      description: { head: 'yolo' },
      outputs: [tensor('output0', [1, 300, 6])],
      head: yolo('output0', true, 1),
    },
    ...(
      [
        ['detr', 'softmax'],
        ['yolos', 'softmax'],
        ['table-transformer', 'softmax'],
        ['conditional_detr', 'sigmoid'],
        ['deformable_detr', 'sigmoid'],
        ['rt_detr', 'sigmoid'],
        ['rt_detr_v2', 'sigmoid'],
        ['d_fine', 'sigmoid'],
      ] as const
    ).map(([modelType, activation]) => ({
      name: modelType,
      description: { head: 'detr' as const, modelType, labels: names(91) },
      outputs: [
        ...detrOutputs(activation === 'softmax' ? 92 : 91),
        tensor('last_hidden_state', [-1, 100, 256]),
      ],
      head: detr(activation),
    })),
    {
      name: 'DETR without a configuration',
      outputs: detrOutputs(92),
      head: detr('softmax'),
      note: "The head is detr, because the outputs 'logits' and 'pred_boxes' have its shapes",
      labels: 91,
    },
    {
      name: 'as many logits as labels have no class for nothing',
      description: { labels: names(92) },
      outputs: detrOutputs(92),
      head: detr('sigmoid'),
      note: 'The head is detr',
    },
    {
      name: 'DETR with numbers as names',
      description: { labels: names(91) },
      outputs: [tensor('3456', [1, 100, 4]), tensor('3421', [1, 100, 92])],
      head: detr('softmax', ['3421', '3456']),
      note: "'3421' and '3456'",
    },
    {
      name: 'Faster R-CNN',
      outputs: [tensor('boxes', [-1, 4]), tensor('labels', [-1], 'int64'), tensor('scores', [-1])],
      head: listed(['boxes', 'scores', 'labels']),
      note: "The head is faster-rcnn, because the outputs 'boxes', 'scores', 'labels' are lists",
    },
    {
      name: 'Faster R-CNN with numbers as names',
      outputs: [tensor('2889', [-1, 4]), tensor('2891', [-1], 'int64'), tensor('2893', [-1])],
      head: listed(['2889', '2893', '2891']),
      note: "'2889', '2893', '2891'",
    },
    {
      name: 'SSD in its order',
      description: { head: 'ssd' },
      outputs: [tensor('a', [200, 4]), tensor('b', [200]), tensor('c', [200], 'int64')],
      head: listed(['a', 'b', 'c'], 'ssd'),
    },
    {
      name: 'RetinaNet without shapes',
      description: { head: 'retinanet' },
      outputs: [tensor('boxes', []), tensor('scores', []), tensor('labels', [], 'int64')],
      head: listed(['boxes', 'scores', 'labels'], 'retinanet'),
    },
    {
      name: 'Mask R-CNN whose boxes are asked for',
      outputs: [
        tensor('boxes', [-1, 4]),
        tensor('labels', [-1], 'int64'),
        tensor('scores', [-1]),
        tensor('masks', [-1, 1, -1, -1]),
      ],
      head: listed(['boxes', 'scores', 'labels']),
      note: 'faster-rcnn',
    },
  ]);
});

const masks = (
  head: 'semantic' | 'yolo-seg' | 'maskformer' | 'mask-rcnn',
  outputs: readonly string[],
  native: object,
): ImageHead => ({ kind: 'masks', head, outputs, native }) as ImageHead;

describe('masks', () => {
  check('image-segmentation', [
    {
      name: 'SegFormer',
      description: { head: 'semantic', labels: names(150) },
      outputs: [tensor('logits', [-1, 150, -1, -1])],
      head: masks('semantic', ['logits'], { kind: 'semantic' }),
    },
    {
      name: 'FCN with an auxiliary output',
      outputs: [tensor('aux', [1, 21, 224, 224]), tensor('out', [1, 21, 224, 224])],
      head: masks('semantic', ['out'], { kind: 'semantic' }),
      note: "The head is semantic, because the output 'out' has the shape [rows, classes, height, width]",
      labels: 21,
    },
    {
      name: 'YOLO with prototypes',
      description: labelled,
      outputs: [tensor('output0', [1, 116, 8400]), tensor('output1', [1, 32, 160, 160])],
      head: masks('yolo-seg', ['output0', 'output1'], {
        kind: 'yolo-seg',
        boxes: { kind: 'yolo', objectness: false, classes: 80, extra: 32 },
      }),
      note: "[rows, 4 + classes + 32, boxes] with 80 classes and 'output1' has 32 prototypes",
    },
    {
      name: 'YOLO with prototypes, without labels',
      outputs: [tensor('output0', [1, 37, 8400]), tensor('output1', [1, 32, 160, 160])],
      head: masks('yolo-seg', ['output0', 'output1'], {
        kind: 'yolo-seg',
        boxes: { kind: 'yolo', objectness: false, classes: 1, extra: 32 },
      }),
      note: 'with 1 class',
      labels: 1,
    },
    {
      name: 'version 5 with prototypes first',
      description: labelled,
      outputs: [tensor('proto', [1, 32, 160, 160]), tensor('boxes', [1, 25200, 117])],
      head: masks('yolo-seg', ['boxes', 'proto'], {
        kind: 'yolo-seg',
        boxes: { kind: 'yolo', objectness: true, classes: 80, extra: 32 },
      }),
      note: '5 + classes + 32',
    },
    {
      name: 'YOLO with prototypes and suppression in the graph',
      description: labelled,
      outputs: [tensor('output0', [1, 300, 38]), tensor('output1', [1, 32, 160, 160])],
      head: masks('yolo-seg', ['output0', 'output1'], {
        kind: 'yolo-seg',
        boxes: { kind: 'yolo-nms', extra: 32 },
      }),
      note: '[rows, boxes, 38]',
    },
    {
      name: 'Mask R-CNN with masks of the image',
      outputs: maskRcnnOutputs(-1),
      head: masks('mask-rcnn', ['2901', '2905', '2903', '2990'], {
        kind: 'mask-rcnn',
        inBoxes: false,
      }),
      note: "The head is mask-rcnn, because the outputs '2901', '2905', '2903', '2990' are lists",
    },
    {
      name: 'Mask R-CNN with masks of its boxes',
      description: { head: 'mask-rcnn' },
      outputs: maskRcnnOutputs(28),
      head: masks('mask-rcnn', ['2901', '2905', '2903', '2990'], {
        kind: 'mask-rcnn',
        inBoxes: true,
      }),
    },
    {
      name: 'MaskFormer',
      description: { head: 'maskformer', labels: names(133) },
      outputs: [
        tensor('class_queries_logits', [-1, 100, 134]),
        tensor('masks_queries_logits', [-1, 100, 96, 96]),
        tensor('encoder_last_hidden_state', [-1, 96, 12, 12]),
      ],
      head: masks('maskformer', ['class_queries_logits', 'masks_queries_logits'], {
        kind: 'maskformer',
      }),
    },
    {
      name: 'MaskFormer without a configuration',
      outputs: [
        tensor('class_queries_logits', [-1, 100, 134]),
        tensor('masks_queries_logits', [-1, 100, 96, 96]),
      ],
      head: masks('maskformer', ['class_queries_logits', 'masks_queries_logits'], {
        kind: 'maskformer',
      }),
      note: 'The head is maskformer, because there are the outputs',
      labels: 133,
    },
    {
      name: 'DETR with masks',
      description: { head: 'maskformer', modelType: 'detr' },
      outputs: [
        tensor('logits', [-1, 100, 251]),
        tensor('pred_boxes', [-1, 100, 4]),
        tensor('pred_masks', [-1, 100, 200, 200]),
      ],
      head: masks('maskformer', ['logits', 'pred_masks'], { kind: 'maskformer' }),
      labels: 250,
    },
  ]);
});

const scores = (output: string, areProbabilities = false): ImageHead => ({
  kind: 'scores',
  output,
  areProbabilities,
});

describe('scores', () => {
  check('image-classification', [
    {
      name: 'logits',
      outputs: [tensor('logits', [-1, 10]), tensor('hidden', [-1, 20])],
      head: scores('logits'),
      labels: 10,
    },
    { name: 'the only output', outputs: [tensor('1234', [1, 1000])], head: scores('1234') },
    {
      name: 'a classifier of Ultralytics',
      outputs: [tensor('output0', [1, 3])],
      metadata: { ...ULTRALYTICS, task: 'classify', names: "{0: 'a', 1: 'b', 2: 'c'}" },
      head: scores('output0', true),
      note: 'because the metadata says that Ultralytics exported a classifier',
      labels: 3,
    },
    {
      name: 'the name says that they are probabilities',
      outputs: [tensor('Softmax', [1, 3])],
      head: scores('Softmax', true),
      note: 'because the output is called \'Softmax\'; write "problem_type" in model.json if they are not',
    },
    {
      name: 'the configuration says that they are not',
      description: { problemType: 'single_label_classification' },
      outputs: [tensor('Softmax', [1, 3])],
      head: scores('Softmax'),
    },
  ]);
});

const vector = (output: string, pooling: 'none' | 'cls' | 'mean'): ImageHead => ({
  kind: 'vector',
  output,
  pooling,
});

describe('vectors', () => {
  const vit = [tensor('last_hidden_state', [-1, 197, 768]), tensor('pooler_output', [-1, 768])];
  check('image-feature-extraction', [
    { name: 'a pooled output', outputs: vit, head: vector('pooler_output', 'none'), labels: 0 },
    {
      name: 'a projection',
      outputs: [...vit, tensor('image_embeds', [-1, 512])],
      head: vector('image_embeds', 'none'),
    },
    {
      name: 'the first patch',
      outputs: vit.slice(0, 1),
      head: vector('last_hidden_state', 'cls'),
      note: "The vector of an image is that of the first patch of 'last_hidden_state'",
    },
    {
      name: 'the mean of patches of a model without a first one',
      description: { modelType: 'swin' },
      outputs: vit.slice(0, 1),
      head: vector('last_hidden_state', 'mean'),
      note: "the mean of all patches of 'last_hidden_state'",
    },
    {
      name: 'a pooled map',
      description: { modelType: 'resnet' },
      outputs: [
        tensor('last_hidden_state', [-1, 512, 7, 7]),
        tensor('pooler_output', [-1, 512, 1, 1]),
      ],
      head: vector('pooler_output', 'none'),
    },
  ]);
});
