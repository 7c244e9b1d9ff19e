/** @module Any content of the files and any graph ends in a model, a sentence, or a mistake with a code. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileTensor } from '../../../native/index.ts';
import { checkSchema } from '../../../runtime/check-schema.ts';
import { HEADS, IMAGE_TASKS, type Preprocessing } from '../../../runtime/image/image-model.ts';
import { imageLoadOptions, openImageModel, placementOf } from '../../../runtime/image/index.ts';
import { preprocessorSchema, readPreprocessing } from '../../../runtime/image/preprocessing.ts';
import { ServeError } from '../../../runtime/index.ts';
import { bareDescription, tensor } from '../../support/image-folder.ts';

/** The same numbers in every run. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below `sides`. */
  roll(sides: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * sides);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.roll(items.length)]!;
  }
}

const TYPES = [
  'ViTImageProcessor',
  'ConvNextImageProcessorFast',
  'CLIPFeatureExtractor',
  'MobileViTImageProcessor',
  'EfficientNetImageProcessor',
  'LevitImageProcessor',
  'PoolFormerImageProcessor',
  'TextNetImageProcessor',
  'DetrImageProcessor',
  'YolosImageProcessor',
  'MaskFormerImageProcessor',
  'DPTImageProcessor',
  'Qwen2VLImageProcessor',
  'constructor',
  '',
];

const NUMBERS = [0, -1, 1, 2, 3, 16, 97, 224, 384, 1333, 16_384, 99_999, 0.5, 1e300, -1e300];

function anything(dice: Dice, depth = 0): unknown {
  switch (dice.roll(depth > 1 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return dice.pick([true, false]);
    case 2:
      return dice.pick(['', 'bicubic', '224']);
    case 3:
    case 4:
      return dice.pick(NUMBERS);
    case 5:
      return Array.from({ length: dice.roll(4) }, () => anything(dice, depth + 1));
    default: {
      const lengths = [
        'height',
        'width',
        'shortest_edge',
        'longest_edge',
        'max_height',
        'max_width',
      ];
      const keys = Array.from({ length: dice.roll(4) }, () => dice.pick(lengths));
      return Object.fromEntries(keys.map((key) => [key, dice.pick(NUMBERS)]));
    }
  }
}

const SIZES: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, 16_384],
  [16_384, 1],
  [3, 500],
  [640, 479],
  [5000, 5000],
];

function checkPlacements(preprocessing: Preprocessing): void {
  for (const size of SIZES) {
    let placed: ReturnType<typeof placementOf>;
    try {
      placed = placementOf(preprocessing, ...size);
    } catch (error) {
      assert.ok(error instanceof ServeError && error.code === 'IMAGE_TOO_LARGE', String(error));
      continue;
    }
    const { width, height, canvasWidth, canvasHeight, left, top } = placed;
    const sides = [width, height, canvasWidth, canvasHeight];
    const message = JSON.stringify({ preprocessing, size, placed });
    assert.ok(
      sides.every((side) => Number.isInteger(side) && side >= 1 && side <= 65_535),
      message,
    );
    assert.ok(Number.isInteger(left) && Number.isInteger(top), message);
    assert.ok(canvasWidth * canvasHeight <= 16_384 ** 2, message);
  }
}

test('any preprocessor_config.json', () => {
  const dice = new Dice(1);
  const keys = Object.keys(preprocessorSchema.shape).filter((key) => !key.endsWith('_type'));
  const counts = { read: 0, refused: 0, obstructed: 0 };
  for (let i = 0; i < 20_000; i += 1) {
    const chosen = Array.from({ length: dice.roll(4) }, () => dice.pick(keys));
    const json = {
      image_processor_type: dice.pick(TYPES),
      ...Object.fromEntries(chosen.map((key) => [key, anything(dice)])),
    };
    const checked = checkSchema(preprocessorSchema, json);
    if ('fault' in checked) {
      counts.refused += 1;
      continue;
    }
    try {
      const wrong = (fault: string) => new ServeError('INVALID_CONFIG', `${fault}.`);
      const read = readPreprocessing(checked.data, 'x.json', undefined, wrong);
      if (read.preprocessing === undefined) {
        assert.ok(read.obstacle!.length > 10);
        counts.obstructed += 1;
        continue;
      }
      counts.read += 1;
      const { scale, mean, std } = read.preprocessing;
      assert.ok([scale, ...mean, ...std].every(Number.isFinite), JSON.stringify(json));
      checkPlacements(read.preprocessing);
    } catch (error) {
      assert.ok(error instanceof ServeError, `${JSON.stringify(json)}: ${error}`);
      counts.refused += 1;
    }
  }
  // Otherwise the values are not varied enough to show anything.
  assert.ok(Math.min(...Object.values(counts)) > 500, JSON.stringify(counts));
});

describe('any graph', () => {
  const names = ['logits', 'pred_boxes', 'boxes', 'labels', 'scores', 'masks', 'output0', '2893'];
  const types: readonly FileTensor['type'][] = [
    'float32',
    'float32',
    'float16',
    'int64',
    'int32',
    'uint8',
    '',
  ];
  const sides = [-1, -1, 0, 1, 4, 4, 6, 9, 36, 100, 100];
  const metadata = [
    undefined,
    { author: 'Ultralytics', task: 'segment', names: "{0: 'a', 1: 'b'}", imgsz: '[64, 96]' },
    { author: 'Ultralytics', task: 'pose' },
    { author: 'me', names: '{' },
  ];

  const preprocessing: Preprocessing = {
    resize: { kind: 'shortest', length: 64, longest: 96 },
    filter: 'bilinear',
    crop: undefined,
    pad: undefined,
    scale: 1 / 255,
    mean: [0.5],
    std: [0.5],
    reverse: false,
  };

  const shape = (dice: Dice, most: number) =>
    Array.from({ length: dice.roll(most) + 1 }, () => dice.pick(sides));

  for (const task of IMAGE_TASKS) {
    test(task, () => {
      const dice = new Dice(IMAGE_TASKS.indexOf(task) + 7);
      const counts = { opened: 0, refused: 0 };
      for (let i = 0; i < 10_000; i += 1) {
        const input =
          dice.roll(3) === 0
            ? tensor('x', shape(dice, 5), dice.pick(types))
            : tensor('x', [dice.pick([-1, 1]), 3, dice.pick([-1, 64]), dice.pick([-1, 64])]);
        const graph = {
          inputs: [
            input,
            ...(dice.roll(8) === 0 ? [tensor('pixel_mask', [-1, -1, -1], dice.pick(types))] : []),
          ],
          outputs: Array.from({ length: dice.roll(5) }, () =>
            tensor(dice.pick(names), shape(dice, 4), dice.pick(types)),
          ),
          metadata: dice.pick(metadata),
        };
        const description = bareDescription({
          task,
          head: dice.pick([undefined, dice.pick(HEADS)]),
          labels: dice.pick([undefined, undefined, ['a'], ['a', 'b', 'c']]),
          modelType: dice.pick([undefined, 'detr', 'rt_detr', 'swin']),
          preprocessing: dice.pick([undefined, preprocessing]),
        });
        try {
          const options = imageLoadOptions(description, graph);
          const opened = openImageModel(description, {}, graph, options);
          if (typeof opened === 'string') {
            assert.ok(!opened.endsWith('.') && /^["A-Z]/.test(opened), opened);
            counts.refused += 1;
            continue;
          }
          counts.opened += 1;
          const { form } = opened.model.input;
          assert.equal(form.fill.length, form.channels);
          assert.ok(form.fill.every(Number.isFinite));
          const placed = opened.model.input.placement(30, 40);
          assert.ok(placed.canvasWidth >= 1 && placed.canvasHeight >= 1, JSON.stringify(graph));
        } catch (error) {
          const isMistake = error instanceof ServeError && error.code === 'INVALID_CONFIG';
          assert.ok(isMistake, `${JSON.stringify({ description, graph })}: ${error}`);
          counts.refused += 1;
        }
      }
      assert.ok(Math.min(...Object.values(counts)) > 50, JSON.stringify(counts));
    });
  }
});
