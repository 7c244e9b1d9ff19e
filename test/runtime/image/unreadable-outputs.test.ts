/** @module Outputs that a task cannot read are named with what it needs, and labels that do not fit are mistakes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileTensor } from '../../../native/index.ts';
import type { ImageDescription } from '../../../runtime/image/index.ts';
import {
  detrOutputs,
  graphOf,
  maskRcnnOutputs,
  names,
  openedModel,
  tensor,
  ULTRALYTICS,
} from '../../support/image-folder.ts';

describe('outputs that a task cannot read', () => {
  const wrong = (
    description: Partial<ImageDescription>,
    outputs: readonly FileTensor[],
    metadata?: Readonly<Record<string, string>>,
  ) => {
    const graph = graphOf(outputs, { metadata });
    return () => openedModel(description, graph);
  };
  const detection = { task: 'object-detection' } as const;
  const segmentation = { task: 'image-segmentation' } as const;

  for (const [name, open, message] of [
    [
      'no scores',
      wrong({}, [tensor('x', [1, 3, 4])]),
      /^The task image-classification needs an output of floats with the shape \[rows, classes\], but the model has 'x' float32 \[1, 3, 4\]; write the one to read in "output"$/,
    ],
    [
      'several scores',
      wrong({}, [tensor('a', [1, 3]), tensor('b', [1, 3])]),
      /but the model has 'a' float32 \[1, 3\], 'b' float32 \[1, 3\]/,
    ],
    [
      'no vector',
      wrong({ task: 'image-feature-extraction' }, [tensor('x', [1, 3, 7, 7])]),
      /^The task image-feature-extraction needs an output/,
    ],
    [
      'no boxes',
      wrong(detection, [tensor('x', [1, 10])]),
      /^The heads of YOLO need an output of floats with the shape \[rows, 4 \+ classes, boxes\]/,
    ],
    [
      'too few numbers',
      wrong(detection, [tensor('x', [1, 3, 400])]),
      /^The heads of YOLO need .*, but the output 'x' has \[rows, 3, 400\]$/,
    ],
    [
      'no shape',
      wrong({ ...detection, labels: names(3) }, [tensor('x', [1, -1, -1])]),
      /does not tell how boxes lie in it/,
    ],
    [
      'no logits',
      wrong({ ...detection, head: 'detr' }, [tensor('x', [1, 300, 6])]),
      /^The head detr needs the outputs 'logits' \[rows, queries, classes\] and 'pred_boxes' \[rows, queries, 4\], but the model has 'x'/,
    ],
    [
      'no lists',
      wrong({ ...detection, head: 'ssd' }, [tensor('x', [1, 300, 6])]),
      /^The head ssd needs the outputs boxes \[n, 4\], scores \[n\] of floats, and labels \[n\]/,
    ],
    [
      'a head of masks for boxes',
      wrong({ ...detection, head: 'semantic' }, [tensor('x', [1, 2, 3, 4])]),
      /^"head" is 'semantic', which has no boxes; write "task": "image-segmentation"/,
    ],
    [
      'a head of boxes for masks',
      wrong({ ...segmentation, head: 'detr' }, detrOutputs(9)),
      /^"head" is 'detr', which has no masks; write "task": "object-detection"/,
    ],
    [
      'no maps',
      wrong(segmentation, [tensor('x', [1, 10])]),
      /^The head semantic needs the outputs floats with the shape \[rows, classes, height, width\]/,
    ],
    [
      'classes last',
      wrong(segmentation, [tensor('x', [1, 256, 256, 1])]),
      /^The output 'x' has the shape \[1, 256, 256, 1\] with the classes last, but the head semantic needs \[rows, classes, height, width\]/,
    ],
    [
      'as many classes as labels, but last',
      wrong({ ...segmentation, labels: names(21) }, [tensor('x', [-1, 65, 65, 21])]),
      /^The output 'x' has the shape \[-1, 65, 65, 21\] with the classes last/,
    ],
    [
      'no masks',
      wrong({ ...segmentation, head: 'mask-rcnn' }, maskRcnnOutputs(28).slice(0, 3)),
      /^The head mask-rcnn needs the outputs boxes/,
    ],
    [
      'no prototypes',
      wrong({ ...segmentation, head: 'yolo-seg' }, [tensor('x', [1, 116, 8400])]),
      /^The head yolo-seg needs the outputs \[rows, 4 \+ classes \+ prototypes, boxes\]/,
    ],
    [
      'no queries',
      wrong({ ...segmentation, head: 'maskformer' }, [tensor('x', [1, 2, 3, 4])]),
      /^The head maskformer needs the outputs 'class_queries_logits'/,
    ],
    [
      'turned boxes',
      wrong(detection, [tensor('x', [1, 20, 8400])], { ...ULTRALYTICS, task: 'obb' }),
      /^The metadata says that the model finds turned boxes/,
    ],
  ] as const) {
    test(name, () => {
      assert.throws(open, { message });
    });
  }

  for (const [name, open, message] of [
    [
      'YOLO with other labels',
      wrong({ ...detection, labels: names(3) }, [tensor('x', [1, 84, 8400])]),
      /^The configuration names 3 labels, for which the output 'x' must have the shape \[rows, 7, boxes\] or \[rows, boxes, 8\] but has \[rows, 84, 8400\]/,
    ],
    [
      'a classifier with other labels',
      wrong({ labels: names(3) }, [tensor('x', [1, 10])]),
      /^The configuration names 3 labels, but the outputs of the model have 10 classes; name as many labels\.$/,
    ],
    [
      'DETR with other labels',
      wrong({ ...detection, modelType: 'detr', labels: names(3) }, detrOutputs(92)),
      /names 3 labels, but the outputs of the model have 91 classes/,
    ],
    [
      'maps with other labels',
      wrong({ ...segmentation, labels: names(3) }, [tensor('x', [1, 21, 56, 56])]),
      /names 3 labels, but the outputs of the model have 21 classes/,
    ],
  ] as const) {
    test(`${name} are a mistake in the configuration`, () => {
      assert.throws(open, { code: 'INVALID_CONFIG', message });
    });
  }
});
