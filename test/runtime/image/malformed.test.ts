/** @module Files of a folder for images with mistakes: each fails the version with the file and the key. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeImages } from '../../support/image-folder.ts';
import type { FolderFiles } from '../../support/text-folder.ts';

const preprocessor = (keys: object, type = 'ViTImageProcessor'): FolderFiles => ({
  'config.json': { architectures: ['NewForImageClassification'], model_type: 'new' },
  'preprocessor_config.json': { image_processor_type: type, ...keys },
});
const config = (keys: object): FolderFiles => ({ 'config.json': keys });

describe('a mistake in preprocessor_config.json', () => {
  for (const [keys, fault] of [
    [{ size: 'large' }, 'size must be'],
    [{ size: 0 }, 'size must be'],
    [{ size: -224 }, 'size must be'],
    [{ size: 224.5 }, 'size must be'],
    [{ size: 20_000 }, 'size must be'],
    [{ size: [224] }, 'size'],
    [{ size: [224, 224, 3] }, 'size'],
    [
      { size: {} },
      "size must have 'height' and 'width', 'shortest_edge', or 'max_height' and 'max_width' for this class but has no length",
    ],
    [{ size: { height: 224 } }, "but has 'height'"],
    [{ size: { longest_edge: 224 } }, "but has 'longest_edge'"],
    [{ size: { height: '224', width: 224 } }, 'size'],
    [{ size: { height: 224, width: 0 } }, 'size'],
    [{ resample: 6 }, 'resample must be at most 5 but is 6'],
    [{ resample: -1 }, 'resample must be at least 0 but is -1'],
    [{ resample: 'bicubic' }, 'resample must be a number but is "bicubic"'],
    [{ do_resize: 'yes' }, 'do_resize must be true or false but is "yes"'],
    [{ do_normalize: 1 }, 'do_normalize must be true or false but is 1'],
    [{ do_rescale: 'false' }, 'do_rescale must be true or false but is "false"'],
    [{ do_center_crop: 0 }, 'do_center_crop must be true or false but is 0'],
    [{ do_pad: [] }, 'do_pad must be true or false but is []'],
    [{ rescale_factor: 0 }, 'rescale_factor must be more than 0 but is 0'],
    [{ rescale_factor: '1/255' }, 'rescale_factor must be a number but is "1/255"'],
    [{ image_mean: '0.5' }, 'image_mean must be'],
    [{ image_mean: [] }, 'image_mean'],
    [{ image_mean: [0.5, 'a', 0.5] }, 'image_mean'],
    [{ image_mean: [0.5, 0.5, 0.5, 0.5] }, 'image_mean'],
    [{ image_mean: [0.5, 0.5] }, 'image_mean has 2 numbers and image_std 3, but each must have 3'],
    [{ image_mean: [0.5, 0.5], image_std: [0.5, 0.5] }, 'image_mean has 2 numbers and image_std 2'],
    [{ image_std: [0.5, 0, 0.5] }, 'image_std must have numbers of at least 0.000001 but has 0'],
    [{ image_std: 1e300 }, 'image_std must be'],
    [{ image_std: 0 }, 'image_std must have numbers of at least 0.000001 but has 0'],
    [
      { do_center_crop: true, crop_size: { height: 224 } },
      "crop_size must have 'height' and 'width'",
    ],
    [{ do_center_crop: true, crop_size: '224' }, 'crop_size'],
    [{ do_pad: true, pad_size: { height: 512 } }, "pad_size must have 'height' and 'width'"],
    [
      { do_pad: true, pad_size: 200 },
      'pad_size is 200 × 200 (height × width), but size lets images become larger',
    ],
    [{ do_resize: false, do_pad: true, pad_size: 200 }, 'pad_size is 200 × 200'],
    [{ size: { shortest_edge: 64 }, do_pad: true, pad_size: 64 }, 'pad_size is 64 × 64'],
    [{ crop_pct: 0 }, 'crop_pct must be at least 0.01 but is 0'],
    [{ crop_pct: 'all' }, 'crop_pct must be a number but is "all"'],
    [{ image_processor_type: 7 }, 'image_processor_type must be a string but is 7'],
    [{ size_divisor: -1 }, 'size_divisor must be at least 0 but is -1'],
    [{ ensure_multiple_of: 0 }, 'ensure_multiple_of must be at least 1 but is 0'],
    [{ keep_aspect_ratio: 'no' }, 'keep_aspect_ratio must be true or false but is "no"'],
    [{ max_size: 'none' }, 'max_size must be a number but is "none"'],
  ] as const) {
    test(JSON.stringify(keys), async () => {
      await assert.rejects(
        describeImages(preprocessor(keys)),
        ({ code, message }: { code: string; message: string }) => {
          assert.equal(code, 'INVALID_CONFIG');
          assert.ok(message.startsWith("preprocessor_config.json of 'm' is wrong: "), message);
          assert.ok(message.includes(fault), message);
          return true;
        },
      );
    });
  }

  for (const [type, keys, fault] of [
    [
      'ConvNextImageProcessor',
      { size: { height: 224, width: 224 } },
      "size must have 'shortest_edge' for this class but has 'height', 'width'",
    ],
    [
      'DetrImageProcessor',
      { size: { shortest_edge: 800 } },
      "size must have 'longest_edge' beside 'shortest_edge' for this class but has 'shortest_edge'",
    ],
    [
      'DPTImageProcessor',
      { size: { shortest_edge: 384 } },
      "size must have 'height' and 'width' for this class but has 'shortest_edge'",
    ],
    [
      'PoolFormerImageProcessor',
      { size: { max_height: 3, max_width: 3 } },
      "size must have 'shortest_edge', or 'height' and 'width' for this class",
    ],
    ['TextNetImageProcessor', { size: { height: 3, width: 3 } }, "but has 'height', 'width'"],
  ] as const) {
    test(`${type} with ${JSON.stringify(keys)}`, async () => {
      await assert.rejects(describeImages(preprocessor(keys, type)), {
        code: 'INVALID_CONFIG',
        message: new RegExp(fault.replaceAll(/[[\](){}.]/g, '.')),
      });
    });
  }

  test('no JSON, no object, and another file', async () => {
    for (const [content, message] of [
      ['{"size": ', /^preprocessor_config.json of 'm' is not valid JSON/],
      ['[]', /^preprocessor_config.json of 'm' is wrong: it must be an object but is \[\]/],
      ['"ViT"', /^preprocessor_config.json of 'm' is wrong: it must be an object but is "ViT"/],
    ] as const) {
      const files = { 'preprocessor_config.json': content };
      await assert.rejects(describeImages(files), { code: 'INVALID_CONFIG', message });
    }
    const nested = { 'processor_config.json': { image_processor: { size: 'large' } } };
    await assert.rejects(describeImages(nested), {
      code: 'INVALID_CONFIG',
      message: /^processor_config.json of 'm' is wrong: image_processor.size must be/,
    });
  });
});

describe('a mistake in config.json', () => {
  for (const [keys, fault] of [
    [{ id2label: { a: 'cat' } }, "id2label has the number 'a', but numbers must be whole"],
    [{ id2label: { '-1': 'cat' } }, "id2label has the number '-1'"],
    [
      { id2label: { 0: 'cat', 200000: 'dog' } },
      "id2label has the number '200000', but numbers must be whole and less than 100000",
    ],
    [{ id2label: ['cat'] }, 'id2label must be an object'],
    [{ id2label: { 0: null } }, 'id2label'],
    [{ id2label: { 0: {} } }, 'id2label'],
    [{ problem_type: 'detection' }, 'problem_type must be one of'],
    [{ architectures: 'ViT' }, 'architectures must be a list but is "ViT"'],
    [{ model_type: 3 }, 'model_type must be a string but is 3'],
    [{ pretrained_cfg: { input_size: [224, 224] } }, 'pretrained_cfg.input_size'],
    [{ pretrained_cfg: { crop_pct: 0 } }, 'pretrained_cfg.crop_pct must be at least 0.01 but is 0'],
    [{ pretrained_cfg: { std: [0.5, 0, 0.5] } }, 'pretrained_cfg.std'],
  ] as const) {
    test(JSON.stringify(keys), async () => {
      await assert.rejects(
        describeImages(config(keys)),
        ({ code, message }: { code: string; message: string }) => {
          assert.equal(code, 'INVALID_CONFIG');
          assert.ok(message.startsWith("config.json of 'm' is wrong: "), message);
          assert.ok(message.includes(fault), message);
          return true;
        },
      );
    });
  }
});

describe('what cannot be done is an obstacle that names the key, and the graph is still served', () => {
  for (const [keys, type, obstacle] of [
    [
      {},
      'NewImageProcessor',
      "image_processor_type of preprocessor_config.json is 'NewImageProcessor', which is not known, and it does not say size, image_mean, image_std: write these keys, or the name of a class that does the same",
    ],
    [
      { size: 448, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
      'Qwen2VLImageProcessorFast',
      "image_processor_type of preprocessor_config.json is 'Qwen2VLImageProcessorFast', whose steps are not supported: write the name of a class that does the same for this model",
    ],
    [
      { size: 224, image_mean: 0, image_std: 1 },
      'PerceiverFeatureExtractor',
      "image_processor_type of preprocessor_config.json is 'PerceiverFeatureExtractor', whose steps are not supported: write the name of a class that does the same for this model",
    ],
    [
      { size: 224 },
      'NewImageProcessor',
      "image_processor_type of preprocessor_config.json is 'NewImageProcessor', which is not known, and it does not say image_mean, image_std: write these keys, or the name of a class that does the same",
    ],
    [
      { do_center_crop: true, do_pad: true, pad_size: 300 },
      'ViTImageProcessor',
      'do_center_crop and do_pad of preprocessor_config.json are both on, which is not supported: set do_pad to false, because a crop has one size already',
    ],
    [
      { do_split_image: true },
      'DetrImageProcessor',
      'do_split_image of preprocessor_config.json asks to cut images into parts, which is not supported: export the model with it off',
    ],
    [
      { do_pad: true, size_divisor: 32 },
      'DPTImageProcessor',
      'do_pad with size_divisor of preprocessor_config.json asks to pad images on all sides, which is not supported: set do_pad to false',
    ],
  ] as const) {
    test(`${type} ${JSON.stringify(keys)}`, async () => {
      const described = await describeImages(preprocessor(keys, type));
      assert.equal(described.obstacle, obstacle);
      assert.equal(described.preprocessing, undefined);
    });
  }

  for (const [keys, obstacle] of [
    [{ interpolation: 'random' }, "pretrained_cfg.interpolation of config.json is 'random'"],
    [{ crop_mode: 'border' }, "pretrained_cfg.crop_mode of config.json is 'border'"],
    [{ input_size: [3, 224, 320] }, "pretrained_cfg.input_size of config.json is '3 × 224 × 320'"],
  ] as const) {
    test(JSON.stringify(keys), async () => {
      const described = await describeImages(config({ pretrained_cfg: keys }));
      assert.ok(described.obstacle?.startsWith(`${obstacle}, which is not supported: `));
    });
  }

  test('an unknown class of a known model is read as that of other such models, with a note', async () => {
    const described = await describeImages({
      'config.json': { model_type: 'convnextv2' },
      'preprocessor_config.json': { image_processor_type: 'NewImageProcessor', size: 224 },
    });
    assert.deepEqual(described.preprocessing?.crop, { width: 224, height: 224 });
    assert.deepEqual(described.notes, [
      "image_processor_type of preprocessor_config.json is 'NewImageProcessor', which is not known: its keys are read as for other models of the type 'convnextv2'",
    ]);
  });

  test('an unknown class with all keys is read, with a note', async () => {
    const keys = { size: 100, image_mean: [0, 0, 0], image_std: [1, 1, 1] };
    const described = await describeImages(preprocessor(keys, 'NewImageProcessor'));
    assert.equal(described.obstacle, undefined);
    assert.deepEqual(described.preprocessing?.resize, { kind: 'exact', width: 100, height: 100 });
    assert.deepEqual(described.notes, [
      "image_processor_type of preprocessor_config.json is 'NewImageProcessor', which is not known: its keys are read as those of ViTImageProcessor",
    ]);
  });
});
