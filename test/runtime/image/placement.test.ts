/**
 * @module Sizes, places and colours of images against transformers, timm and Ultralytics, which
 * test/fixtures/vision/make/preprocessing.py asked.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Preprocessing } from '../../../runtime/image/image-model.ts';
import { placementOf } from '../../../runtime/image/index.ts';
import fixtures from '../../fixtures/vision/preprocessing/placements.json' with { type: 'json' };
import {
  bareDescription,
  describeImages,
  graphOf,
  openedModel,
  tensor,
} from '../../support/image-folder.ts';

interface Row {
  readonly size: readonly [number, number];
  /** Set where the class fails, because the image would have no pixels. */
  readonly error?: string;
  readonly resized: readonly [number, number];
  readonly canvas: readonly [number, number];
  readonly start: readonly [number, number];
  readonly color?: readonly [number, number, number];
}

interface Fixture {
  readonly name: string;
  readonly files?: Readonly<Record<string, object>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

const COLOR = [10, 100, 200];

const cases = fixtures as unknown as readonly Fixture[];

const round = (value: number) => Math.round(value * 1e5) / 1e5;

function colorOf({ scale, mean, std, reverse }: Preprocessing): readonly number[] {
  const channels = reverse ? [2, 1, 0] : [0, 1, 2];
  return channels.map((from, c) => (COLOR[from]! * scale - mean[c]!) / std[c]!);
}

/** Narrow images that the processors enlarge to millions of pixels are refused. */
const isTooNarrow = ({ size, resized = [0, 0], canvas = [0, 0] }: Partial<Row>) =>
  Math.max(...resized) > 65_535 || canvas[0] * canvas[1] > Math.max(4_194_304, size![0] * size![1]);

describe('images are placed and coloured as the image processor does', () => {
  for (const { name, files, rows } of cases) {
    if (files === undefined) continue;
    test(name, async () => {
      const { preprocessing, obstacle } = await describeImages(files);
      assert.equal(obstacle, undefined);
      for (const { size, error, ...expected } of rows) {
        if (isTooNarrow({ size, ...expected })) {
          assert.throws(() => placementOf(preprocessing!, ...size), { code: 'IMAGE_TOO_LARGE' });
          continue;
        }
        const { width, height, canvasWidth, canvasHeight, left, top } = placementOf(
          preprocessing!,
          ...size,
        );
        if (error !== undefined) {
          assert.ok(width >= 1 && height >= 1);
          continue;
        }
        const found = {
          resized: [width, height],
          canvas: [canvasWidth, canvasHeight],
          start: [left, top],
        };
        const { color, ...geometry } = expected;
        assert.deepEqual(found, geometry, `${size}`);
        const difference = colorOf(preprocessing!).map((each, c) => Math.abs(each - color![c]!));
        assert.ok(
          difference.every((each, c) => each <= 1e-5 * Math.max(1, Math.abs(color![c]!))),
          `${colorOf(preprocessing!).map(round)} instead of ${color}`,
        );
      }
    });
  }
});

describe('images are placed as Ultralytics does it', () => {
  for (const { name, metadata, rows } of cases) {
    if (metadata === undefined) continue;
    test(name, () => {
      const isClassifier = metadata.task === 'classify';
      const { model } = openedModel(
        bareDescription({ task: isClassifier ? 'image-classification' : 'object-detection' }),
        graphOf([tensor('output0', isClassifier ? [-1, 10] : [-1, 84, 8400])], {
          inputs: [tensor('images', [-1, 3, -1, -1])],
          metadata,
        }),
      );
      for (const { size, resized, canvas, start } of rows) {
        const placed = model.input.placement(...size);
        const { width, height, canvasWidth, canvasHeight, left, top } = placed;
        const found = {
          resized: [width, height],
          canvas: [canvasWidth, canvasHeight],
          start: [left, top],
        };
        assert.deepEqual(found, { resized, canvas, start }, `${size}`);
      }
    });
  }
});

describe('images that would become very large', () => {
  const shortest = { kind: 'shortest', length: 224, longest: undefined } as const;
  const plain = { resize: shortest, filter: 'bilinear', crop: undefined, pad: undefined } as const;
  const code = 'IMAGE_TOO_LARGE';

  test('are refused with what to do', () => {
    assert.throws(() => placementOf(plain, 1, 16_384), {
      code,
      message:
        'The image has 1 × 16384 pixels, and would have 224 × 3670016 when its shorter side has the length that the model needs; send a part of it that is less narrow.',
    });
    assert.throws(() => placementOf({ ...plain, crop: { width: 224, height: 224 } }, 16_384, 1), {
      code,
    });
    assert.throws(() => placementOf(plain, 20, 2000), { code });
  });

  test('are taken if the model cuts out their middle, or they have as many pixels themselves', () => {
    const crop = { width: 224, height: 224 };
    assert.equal(placementOf({ ...plain, crop }, 1, 292).top, -32_592);
    assert.equal(placementOf({ ...plain, resize: undefined }, 5000, 4000).canvasWidth, 5000);
    const resize = { ...shortest, length: 3000 };
    assert.equal(placementOf({ ...plain, resize }, 5000, 4000).canvasHeight, 3000);
  });
});
