/** @module From descriptions and graphs to models: inputs in all forms, preprocessing by files and without them, labels. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileTensor } from '../../../native/index.ts';
import type { ImageDescription, ImageGraph, Preprocessing } from '../../../runtime/image/index.ts';
import { imageLoadOptions, openImageModel } from '../../../runtime/image/index.ts';
import {
  bareDescription,
  describeImages,
  graphOf,
  openedModel,
  tensor,
} from '../../support/image-folder.ts';

const logits = tensor('logits', [-1, 3]);
const LABELS = ['a', 'b', 'c'];

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const preprocessing = (more: Partial<Preprocessing> = {}): Preprocessing => ({
  resize: { kind: 'exact', width: 224, height: 224 },
  filter: 'bicubic',
  crop: undefined,
  pad: undefined,
  scale: 1 / 255,
  ...IMAGENET,
  reverse: false,
  ...more,
});

const withInputs = (
  inputs: readonly FileTensor[],
  outputs: readonly FileTensor[] = [logits],
): ImageGraph => graphOf(outputs, { inputs });

/** As a load does it: the engine gets what `imageLoadOptions` says. */
function loaded(description: Partial<ImageDescription>, graph: ImageGraph) {
  const whole = bareDescription(description);
  const options = imageLoadOptions(whole, graph);
  const opened = openImageModel(whole, {}, graph, options);
  if (typeof opened === 'string') throw new Error(opened);
  return { ...opened, pixels: options.inputs, dimensions: options.dimensions };
}

const near = (found: readonly number[], expected: readonly number[]) => {
  assert.equal(found.length, expected.length);
  for (const [i, each] of found.entries()) assert.ok(Math.abs(each - expected[i]!) < 1e-6);
};

describe('the form of the input', () => {
  test('planes of floats are pixels that the engine normalises', () => {
    const { model, pixels } = loaded(
      { preprocessing: preprocessing({ reverse: true }) },
      withInputs([tensor('x', [-1, 3, 224, 224])]),
    );
    const form = { scale: 1 / 255, ...IMAGENET, reverse: true };
    assert.deepEqual(pixels, { x: { from: 'uint8-hwc', ...form, either: true } });
    const { placement, ...input } = model.input;
    assert.deepEqual(input, {
      name: 'x',
      mask: undefined,
      maskType: undefined,
      hasRows: true,
      type: 'pixels',
      form: { layout: 'uint8-hwc', channels: 3, fill: [0, 0, 0], reverse: false },
    });
    assert.deepEqual(placement(10, 20), {
      width: 224,
      height: 224,
      filter: 'bicubic',
      canvasWidth: 224,
      canvasHeight: 224,
      left: 0,
      top: 0,
    });
  });

  for (const [name, input, expected] of [
    [
      'floats with the channels last',
      tensor('x', [1, 224, 224, 3]),
      { type: 'float32', hasRows: true, form: 'float32-hwc', channels: 3 },
    ],
    [
      'half floats',
      tensor('x', [-1, 3, 224, 224], 'float16'),
      { type: 'float16', hasRows: true, form: 'float16-chw', channels: 3 },
    ],
    [
      'half floats with the channels last',
      tensor('x', [-1, 224, 224, 3], 'float16'),
      { type: 'float16', hasRows: true, form: 'float16-hwc', channels: 3 },
    ],
    [
      'bytes',
      tensor('x', [-1, 224, 224, 3], 'uint8'),
      { type: 'uint8', hasRows: true, form: 'uint8-hwc', channels: 3 },
    ],
    [
      'planes of bytes',
      tensor('x', [-1, 3, 224, 224], 'uint8'),
      { type: 'uint8', hasRows: true, form: 'uint8-chw', channels: 3 },
    ],
    [
      'no rows',
      tensor('x', [3, 224, 224]),
      { type: 'float32', hasRows: false, form: 'float32-chw', channels: 3 },
    ],
    [
      'no rows and the channels last',
      tensor('x', [224, 224, 3]),
      { type: 'float32', hasRows: false, form: 'float32-hwc', channels: 3 },
    ],
    [
      'grey planes',
      tensor('x', [-1, 1, 224, 224]),
      { type: 'pixels', hasRows: true, form: 'uint8-hwc', channels: 1 },
    ],
    [
      'grey with the channels last',
      tensor('x', [-1, 224, 224, 1]),
      { type: 'float32', hasRows: true, form: 'float32-hwc', channels: 1 },
    ],
    [
      'open sizes',
      tensor('x', [-1, -1, -1, -1]),
      { type: 'pixels', hasRows: true, form: 'uint8-hwc', channels: 3 },
    ],
  ] as const) {
    test(name, () => {
      const output = input.dims.length === 3 ? tensor('logits', [3]) : logits;
      const colors = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
      const { model } = loaded(
        { preprocessing: preprocessing(colors) },
        withInputs([input], [output]),
      );
      const { type, hasRows, form } = model.input;
      const found = { type, hasRows, form: form.layout, channels: form.channels };
      assert.deepEqual(found, expected);
      if (!form.layout.startsWith('float')) return;
      near(form.mean!, colors.mean.slice(0, form.channels));
      // Black, as the model sees it.
      near(form.fill, new Array<number>(form.channels).fill(-2));
    });
  }

  test('padding after normalising cannot be made of bytes', () => {
    const pad = {
      width: 64,
      height: 64,
      place: 'start',
      value: 0,
      afterNormalizing: true,
    } as const;
    const { model, pixels } = loaded(
      { preprocessing: preprocessing({ resize: { kind: 'exact', width: 60, height: 50 }, pad }) },
      withInputs([tensor('x', [-1, 3, 64, 64])]),
    );
    assert.equal(pixels, undefined);
    assert.equal(model.input.type, 'float32');
    assert.deepEqual(model.input.form.fill, [0, 0, 0]);
  });

  test('a grey letterbox is a byte for bytes, and normalised for floats', () => {
    const boxes = [tensor('output0', [1, 84, 8400])];
    const task = 'object-detection';
    const bytes = loaded({ task }, withInputs([tensor('x', [1, 3, 640, 640])], boxes));
    assert.deepEqual(bytes.model.input.form.fill, [114, 114, 114]);
    const floats = loaded({ task }, withInputs([tensor('x', [1, 640, 640, 3])], boxes));
    near(floats.model.input.form.fill, [114 / 255, 114 / 255, 114 / 255]);
  });

  for (const type of ['int64', 'bool'] as const) {
    test(`a mask of ${type} beside pixels`, () => {
      const resize = { kind: 'shortest', length: 80, longest: 120 } as const;
      const { model } = loaded(
        { preprocessing: preprocessing({ resize }) },
        withInputs([tensor('x', [-1, 3, -1, -1]), tensor('pixel_mask', [-1, -1, -1], type)]),
      );
      assert.deepEqual([model.input.mask, model.input.maskType], ['pixel_mask', type]);
      assert.equal(model.input.type, 'pixels');
      assert.equal(model.input.placement(200, 100).canvasWidth, 120);
    });
  }

  describe('sizes that the file leaves open', () => {
    const open = (dims: readonly number[], symbols: readonly string[], more = {}) =>
      loaded(
        {
          preprocessing: preprocessing({ resize: { kind: 'exact', width: 48, height: 32 } }),
          ...more,
        },
        withInputs([{ name: 'x', type: 'float32', dims, symbols }]),
      );

    test('are those of the layout, with the channels first or last', () => {
      const first = open([-1, -1, -1, -1], ['batch', 'channels', 'height', 'width']);
      assert.deepEqual(first.dimensions, { channels: 3, height: 32, width: 48 });
      assert.match(
        first.notes.join(),
        /channels, height, width, which the file leaves open, are 3, 32, 48/,
      );
      const last = open([-1, -1, -1, 3], ['batch', 'height', 'width', '']);
      assert.deepEqual(last.dimensions, { height: 32, width: 48 });
      assert.equal(last.model.input.form.layout, 'float32-hwc');
    });

    test('stay open if they differ from image to image, have no names, or share one', () => {
      const symbols = ['batch', '', 'height', 'width'];
      const varies = preprocessing({ resize: { kind: 'shortest', length: 32, longest: 64 } });
      assert.equal(open([-1, 3, -1, -1], symbols, { preprocessing: varies }).dimensions, undefined);
      assert.equal(open([-1, 3, -1, -1], ['batch', '', '', '']).dimensions, undefined);
      assert.equal(open([-1, 3, -1, -1], ['n', '', 'side', 'side']).dimensions, undefined);
      assert.equal(open([-1, 3, -1, -1], ['n', '', 'n', 'w']).dimensions, undefined);
    });
  });

  test('a canvas of more pixels than are laid out is a mistake', () => {
    const huge = preprocessing({ resize: { kind: 'exact', width: 16_000, height: 16_000 } });
    assert.throws(
      () => loaded({ preprocessing: huge }, withInputs([tensor('x', [-1, 3, -1, -1])])),
      { code: 'INVALID_CONFIG', message: /16000 × 16000/ },
    );
  });

  for (const [name, inputs, message] of [
    [
      'tokens',
      [tensor('input_ids', [-1, -1], 'int64')],
      /^An image needs an input float32, float16 or uint8 with the shape .*, but the model has 'input_ids' int64 \[-1, -1\]$/,
    ],
    ['features', [tensor('x', [-1, 4])], /^An image needs an input/],
    [
      'another input',
      [tensor('x', [1, 3, 8, 8]), tensor('orig_target_sizes', [1, 2], 'int64')],
      /^The graph has the input 'orig_target_sizes' beside 'x', which is not made from an image$/,
    ],
    [
      'a mask of floats',
      [tensor('x', [1, 3, 8, 8]), tensor('pixel_mask', [1, 8, 8])],
      /^The input 'pixel_mask' must be int64 or bool but is float32$/,
    ],
    [
      'four channels',
      [tensor('x', [1, 4, 8, 8])],
      /^The input 'x' must have 1 or 3 channels, as its first or its last dimension of an image, but has the shape \[1, 4, 8, 8\]$/,
    ],
    [
      'no images',
      [tensor('x', [0, 3, 8, 8])],
      /^The input 'x' takes no images, because its shape \[0, 3, 8, 8\] has a 0$/,
    ],
    ['nothing', [], /^An image needs an input/],
  ] as const) {
    test(`${name} are no image`, () => {
      const graph = withInputs(inputs);
      assert.throws(() => openedModel({}, graph), { message });
      assert.equal(imageLoadOptions(bareDescription(), graph).inputs, undefined);
    });
  }

  test('colours that do not fit the channels are a mistake', () => {
    const graph = withInputs([tensor('x', [-1, 1, 224, 224])]);
    assert.throws(() => openedModel({ preprocessing: preprocessing() }, graph), {
      code: 'INVALID_CONFIG',
      message: 'image_mean has 3 numbers, but the input has 1 channel; write one for each.',
    });
    assert.equal(
      imageLoadOptions(bareDescription({ preprocessing: preprocessing() }), graph).inputs,
      undefined,
    );
  });

  test('one number is for all channels', () => {
    const { pixels } = loaded(
      { preprocessing: preprocessing({ mean: [0.5], std: [0.25] }) },
      withInputs([tensor('x', [-1, 3, 224, 224])]),
    );
    assert.deepEqual(pixels?.x?.mean, [0.5, 0.5, 0.5]);
    assert.deepEqual(pixels?.x?.std, [0.25, 0.25, 0.25]);
  });
});

describe('without a file that says how images are prepared', () => {
  test('they are stretched to the input, with a note', () => {
    const { model, notes } = openedModel({}, withInputs([tensor('x', [-1, 3, 32, 48])]));
    const placed = model.input.placement(100, 100);
    assert.deepEqual([placed.width, placed.height, placed.filter], [48, 32, 'bilinear']);
    assert.deepEqual(notes, [
      'No preprocessor_config.json says how images are prepared: they are resized to 48 × 32 pixels, and their bytes are divided by 255',
    ]);
  });

  test('bytes stay bytes', () => {
    const { notes } = openedModel({}, withInputs([tensor('x', [-1, 32, 48, 3], 'uint8')]));
    assert.deepEqual(notes, [
      'No preprocessor_config.json says how images are prepared: they are resized to 48 × 32 pixels',
    ]);
  });

  test('an open size is an obstacle', () => {
    const graph = withInputs([tensor('x', [-1, 3, -1, -1])]);
    assert.equal(
      openImageModel(bareDescription(), {}, graph),
      "The input 'x' takes images of any size, and no file says to which size the task image-classification resizes them; write preprocessor_config.json",
    );
  });

  test('detectors of torchvision take images as they are', () => {
    const { model, notes } = openedModel(
      { task: 'object-detection' },
      withInputs(
        [tensor('images', [3, -1, -1])],
        [tensor('1', [-1, 4]), tensor('2', [-1], 'int64'), tensor('3', [-1])],
      ),
    );
    const { width, height, canvasWidth } = model.input.placement(321, 123);
    assert.deepEqual([width, height, canvasWidth], [321, 123, 321]);
    assert.ok(notes.some((note) => note.includes('they keep their size')));
  });

  test('YOLO with an open size gets 640, with a note', () => {
    const { model, notes } = openedModel(
      { task: 'object-detection' },
      withInputs([tensor('x', [-1, 3, -1, -1])], [tensor('output0', [-1, 84, -1])]),
    );
    assert.deepEqual(model.input.placement(1280, 640), {
      width: 640,
      height: 320,
      filter: 'bilinear',
      canvasWidth: 640,
      canvasHeight: 640,
      left: 0,
      top: 160,
    });
    assert.ok(notes.some((note) => note.startsWith('Images are laid in the middle of 640 × 640')));
  });

  test('the metadata of an export give the size and the labels', () => {
    const metadata = {
      author: 'Ultralytics',
      task: 'detect',
      names: "{0: 'cat', 1: 'dog'}",
      imgsz: '[320, 416]',
    };
    const { model, notes } = openedModel(
      { task: 'object-detection' },
      {
        ...withInputs([tensor('images', [-1, 3, -1, -1])], [tensor('output0', [-1, 6, -1])]),
        metadata,
      },
    );
    const { canvasWidth, canvasHeight } = model.input.placement(100, 100);
    assert.deepEqual([canvasWidth, canvasHeight], [416, 320]);
    assert.deepEqual(model.labels, ['cat', 'dog']);
    assert.ok(notes.includes('The labels are the 2 names in the metadata of the model file'));
  });

  test('labels of the configuration go before those of the metadata', () => {
    const { model } = openedModel(
      { task: 'object-detection', labels: ['x', 'y'] },
      {
        ...withInputs([tensor('i', [1, 3, 64, 64])], [tensor('output0', [1, 6, 84])]),
        // They are not looked at, so that a file can say what these do not.
        metadata: { author: 'Ultralytics', names: 'cat and dog' },
      },
    );
    assert.deepEqual(model.labels, ['x', 'y']);
  });
});

describe('files and an input of one size', () => {
  const fixed = withInputs([tensor('x', [-1, 3, 224, 224])]);

  test('another size is a mistake that names both', () => {
    const resize = { kind: 'exact', width: 384, height: 384 } as const;
    assert.throws(() => openedModel({ preprocessing: preprocessing({ resize }) }, fixed), {
      code: 'INVALID_CONFIG',
      message:
        "The files say that images become 384 × 384 pixels (width × height), but the input 'x' takes 224 × 224; correct the sizes in preprocessor_config.json, or export the model again.",
    });
  });

  test('the part that is cut out counts, and not the size before', () => {
    const resize = { kind: 'shortest', length: 256, longest: undefined } as const;
    const crop = { width: 224, height: 224 };
    const { model, notes } = openedModel({ preprocessing: preprocessing({ resize, crop }) }, fixed);
    assert.equal(model.input.placement(512, 256).left, -144);
    assert.deepEqual(notes, []);
  });

  test('a size that depends on the image becomes that of the input, with a note', () => {
    const resize = { kind: 'shortest', length: 256, longest: 400 } as const;
    const { model, notes } = openedModel({ preprocessing: preprocessing({ resize }) }, fixed);
    const { width, height } = model.input.placement(512, 256);
    assert.deepEqual([width, height], [224, 224]);
    assert.deepEqual(notes, [
      'The files do not bring all images to one size, but the input takes 224 × 224 pixels (width × height) only: they are stretched to it',
    ]);
  });

  test('with a mask, images fit into the input and are padded', () => {
    const resize = { kind: 'shortest', length: 256, longest: 400 } as const;
    const { model, notes } = openedModel(
      { preprocessing: preprocessing({ resize }) },
      withInputs([tensor('x', [1, 3, 224, 224]), tensor('pixel_mask', [1, 224, 224], 'int64')]),
    );
    const { width, height, canvasHeight } = model.input.placement(512, 256);
    assert.deepEqual([width, height, canvasHeight], [224, 112, 224]);
    assert.deepEqual(model.input.form.fill, [0, 0, 0]);
    assert.ok(notes[0]?.endsWith('they are resized to fit into it, and padded with a pixel_mask'));
  });

  test('one open side cannot follow the proportions', () => {
    const resize = { kind: 'shortest', length: 256, longest: 400 } as const;
    const graph = withInputs([tensor('x', [1, 3, 224, -1])]);
    assert.throws(() => openedModel({ preprocessing: preprocessing({ resize }) }, graph), {
      code: 'INVALID_CONFIG',
      message: /takes any × 224 pixels \(width × height\); write a fixed size/,
    });
  });
});

describe('labels and options', () => {
  test('classes without labels are called by their number', () => {
    assert.deepEqual(openedModel({}, graphOf([logits])).model.labels, ['0', '1', '2']);
    assert.deepEqual(openedModel({}, graphOf([tensor('logits', [-1, -1])])).model.labels, []);
  });

  test('class 0 of detectors of torchvision is the background', () => {
    const outputs = [tensor('b', [-1, 4]), tensor('l', [-1], 'int64'), tensor('s', [-1])];
    const open = (labels: readonly string[]) =>
      openedModel({ task: 'object-detection', labels }, graphOf(outputs));
    const without = open(LABELS);
    assert.deepEqual(without.model.labels, ['__background__', ...LABELS]);
    assert.ok(without.notes.some((note) => note.startsWith("Class 1 is 'a', because class 0")));
    for (const background of ['__background__', 'background', 'Background']) {
      const found = open([background, ...LABELS]);
      assert.deepEqual(found.model.labels, [background, ...LABELS]);
      assert.equal(
        found.notes.some((note) => note.startsWith('Class 1')),
        false,
      );
    }
  });

  test('options of model.json are defaults of requests', () => {
    const settings = {
      threshold: 0.3,
      iou: 0.6,
      topK: 2,
      maxDetections: 9,
      background: '#000000',
      decodes: true,
    };
    const { model } = openedModel({ labels: LABELS }, graphOf([logits]), settings);
    const { decodes, ...defaults } = settings;
    assert.deepEqual(model.defaults, defaults);
    assert.equal(model.decodes, decodes);
  });

  test('the output that model.json names is read', () => {
    const graph = graphOf([logits, tensor('other', [-1, 3])]);
    const { model } = openedModel({}, graph, { output: 'other' });
    assert.equal(model.head.kind === 'scores' && model.head.output, 'other');
    assert.throws(() => openedModel({}, graph, { output: 'none' }), {
      message: `The model has no output 'none'; write one of 'logits', 'other' in "output"`,
    });
  });

  test('an obstacle of the files is the answer', () => {
    const described = bareDescription({ obstacle: 'It cannot be' });
    assert.equal(openImageModel(described, {}, graphOf([logits])), 'It cannot be');
  });
});

describe('what the files of a folder say', () => {
  const folder = (config: object, preprocessor: object = {}) => ({
    'config.json': config,
    'preprocessor_config.json': preprocessor,
  });

  test('labels, the problem, and what the model is', async () => {
    const described = await describeImages(
      folder(
        {
          architectures: ['ViTForImageClassification'],
          model_type: 'vit',
          id2label: { 0: 'cat', 1: 7, 3: true },
          problem_type: 'multi_label_classification',
        },
        { image_processor_type: 'ViTImageProcessor', crop_size: 8, unknown_key: 1 },
      ),
    );
    assert.deepEqual(described.labels, ['cat', '7', '2', 'true']);
    assert.equal(described.problemType, 'multi_label_classification');
    assert.equal(described.architecture, 'ViTForImageClassification');
    assert.equal(described.modelType, 'vit');
    assert.deepEqual(described.notes, []);
  });

  test('model.json says it instead', async () => {
    const described = await describeImages(
      folder({ id2label: { 0: 'cat' }, problem_type: 'multi_label_classification' }),
      'object-detection',
      { labels: ['dog'], problem_type: 'regression', head: 'yolo' },
    );
    assert.deepEqual(described.labels, ['dog']);
    assert.equal(described.problemType, 'regression');
    assert.equal(described.head, 'yolo');
  });

  for (const [task, architecture, modelType, head] of [
    ['object-detection', 'DetrForObjectDetection', 'detr', 'detr'],
    ['object-detection', 'DFineForObjectDetection', 'd_fine', 'detr'],
    ['object-detection', 'SomeModel', 'rf_detr', 'detr'],
    ['object-detection', '', '', undefined],
    ['image-segmentation', 'SegformerForSemanticSegmentation', 'segformer', 'semantic'],
    ['image-segmentation', 'MaskFormerForInstanceSegmentation', 'maskformer', 'maskformer'],
    ['image-segmentation', 'Mask2FormerForUniversalSegmentation', 'mask2former', 'maskformer'],
    ['image-segmentation', 'DetrForSegmentation', 'detr', 'maskformer'],
    ['image-segmentation', '', '', undefined],
    ['image-classification', 'ViTForImageClassification', 'vit', undefined],
  ] as const) {
    test(`${architecture || 'nothing'} for ${task}`, async () => {
      const config = { architectures: [architecture], model_type: modelType };
      assert.equal((await describeImages(folder(config), task)).head, head);
    });
  }

  test('preprocessor_config.json may lie beside a model.json alone', async () => {
    const described = await describeImages({
      'model.json': { task: 'image-classification' },
      'preprocessor_config.json': { image_processor_type: 'CLIPImageProcessor' },
    });
    assert.deepEqual(described.preprocessing?.crop, { width: 224, height: 224 });
    assert.equal(described.labels, undefined);
  });

  test('processor_config.json goes before it, as in transformers', async () => {
    const described = await describeImages({
      'processor_config.json': { image_processor: { image_processor_type: 'DeiTImageProcessor' } },
      'preprocessor_config.json': { image_processor_type: 'CLIPImageProcessor' },
    });
    assert.deepEqual(described.preprocessing?.resize, { kind: 'exact', width: 256, height: 256 });
  });

  test('a processor_config.json of an old kind leaves it to the other file', async () => {
    const described = await describeImages({
      'processor_config.json': { processor_class: 'CLIPProcessor' },
      'preprocessor_config.json': { image_processor_type: 'CLIPImageProcessor' },
    });
    assert.deepEqual(described.preprocessing?.crop, { width: 224, height: 224 });
  });

  test('a folder without any file says nothing', async () => {
    const { preprocessing: nothing, labels, notes } = await describeImages({});
    assert.deepEqual([nothing, labels, notes], [undefined, undefined, []]);
  });
});
