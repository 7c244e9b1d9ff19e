/** @module Tests of models that take encoded images over the protocol, because their `model.json` says `"input": "image"`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import sharp from 'sharp';
import { packStrings } from '../../../runtime/index.ts';
import { FLOAT, INT64, input, model, node, output } from '../../support/onnx.ts';
import { colorClassifier, plainImage } from '../vision/support.ts';
import { fails, withClient } from './grpc-client.ts';
import { binary, type Files, inference } from './support.ts';

const INPUT = 'pixel_values';
/** Its number in model_config.proto. */
const TYPE_STRING = 13;
const url = '/v2/models/colors/infer';

const folder = (name: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}/${file}`, content]));

const decoding = (more: object = {}): Files =>
  colorClassifier({ 'model.json': JSON.stringify({ input: 'image', ...more }) });

const files = folder('colors', decoding());

/** Images of 8 × 8 pixels, which are not resized, and the planes that the graph takes for them. */
const noise = await Promise.all(
  [1, 2, 3].map(async (seed) => {
    const data = Buffer.from(Array.from({ length: 192 }, (_, i) => (i * i * 7 + seed * 53) % 256));
    const raw = { width: 8, height: 8, channels: 3 as const };
    const planes = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: 64 }, (_, pixel) => data[pixel * 3 + channel]! / 255),
    );
    return { file: await sharp(data, { raw }).png().toBuffer(), planes };
  }),
);
const pngs = noise.map(({ file }) => file);
const base64 = (file: Uint8Array): string => Buffer.from(file).toString('base64');

const asText = (images: readonly string[], shape: readonly number[] = [images.length]) => ({
  inputs: [{ name: INPUT, datatype: 'BYTES', shape, data: images }],
});

const asBinary = (images: readonly Uint8Array[], rest: object = {}) => {
  const packed = packStrings(images);
  const own = { name: INPUT, datatype: 'BYTES', shape: [images.length] };
  const parameters = { binary_data_size: packed.length };
  return binary({ ...rest, inputs: [{ ...own, parameters }] }, packed);
};

function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) assert.ok(Math.abs(actual[i]! - value) < 1e-6);
}

const floats = (bytes: Uint8Array): number[] => [...new Float32Array(new Uint8Array(bytes).buffer)];

describe('a model that decodes images', () => {
  test('shows one input of BYTES, and rows of outputs', async () => {
    await using server = await inference(files);
    const metadata = (await server.get('/v2/models/colors')).json;
    assert.deepEqual(metadata.inputs, [{ name: INPUT, datatype: 'BYTES', shape: [-1] }]);
    assert.deepEqual(metadata.outputs, [{ name: 'logits', datatype: 'FP32', shape: [-1, 3] }]);
    const { json: config } = await server.get('/v2/models/colors/config');
    assert.deepEqual(config.input, [{ name: INPUT, data_type: 'TYPE_STRING', dims: [-1] }]);
    assert.deepEqual(config.output, [{ name: 'logits', data_type: 'TYPE_FP32', dims: [-1, 3] }]);
    assert.equal(config.max_batch_size, 0);
  });

  test('responds as to the planes of the same images, over each form of the protocol', async () => {
    await withClient(files, async (client, server) => {
      const planes = noise.flatMap((each) => each.planes);
      const own = { name: INPUT, datatype: 'FP32', shape: [3, 3, 8, 8], data: planes };
      const { json: expected } = await server.post(url, { inputs: [own] });
      const { shape, data } = expected.outputs[0];
      assert.deepEqual(shape, [3, 3]);

      const text = await server.post(url, asText(pngs.map(base64)));
      assert.equal(text.status, 200, text.text);
      assert.deepEqual(text.json.outputs[0].shape, [3, 3]);
      near(text.json.outputs[0].data, data);

      const inBytes = asBinary(pngs, { parameters: { binary_data_output: true } });
      const bytes = await server.post(url, inBytes.body, inBytes.headers);
      assert.equal(bytes.status, 200, bytes.text);
      const length = Number(bytes.headers.get('inference-header-content-length'));
      near(floats(bytes.bytes.subarray(length)), data);

      const call = { model_name: 'colors' };
      const spec = { name: INPUT, datatype: 'BYTES', shape: [3] };
      const raw = await client.call('ModelInfer', {
        ...call,
        inputs: [spec],
        raw_input_contents: [Buffer.from(packStrings(pngs))],
      });
      near(floats(raw.raw_output_contents[0]), data);
      assert.deepEqual(raw.outputs[0].shape, ['3', '3']);
      const typed = await client.call('ModelInfer', {
        ...call,
        inputs: [{ ...spec, contents: { bytes_contents: pngs } }],
      });
      near(typed.outputs[0].contents.fp32_contents, data);
      const about = await client.call('ModelMetadata', { name: 'colors' });
      assert.deepEqual(about.inputs, [{ name: INPUT, datatype: 'BYTES', shape: ['-1'] }]);
      const { config } = await client.call('ModelConfig', { name: 'colors' });
      assert.deepEqual([config.max_batch_size, config.input[0].data_type], [0, TYPE_STRING]);
    });
  });

  test('resizes images of any size and format as the vision service does', async () => {
    await using server = await inference(files);
    const images = await Promise.all([
      plainImage('#ff0000'),
      plainImage('#00ff00', 'webp', { width: 300, height: 7 }),
      plainImage('#0000ff', 'png', { width: 5, height: 5 }),
    ]);
    const { body, headers } = asBinary(images);
    const { json } = await server.post(url, body, headers);
    const [output] = json.outputs;
    assert.deepEqual(
      output.data.map((value: number) => Math.round(value * 20) / 20),
      [1, 0, 0, 0, 1, 0, 0, 0, 1],
    );
  });

  test('takes data URLs, the shape [n, 1], and a body that is one file', async () => {
    await using server = await inference(files);
    const red = await plainImage('#ff0000');
    const dataUrl = await server.post(
      url,
      asText([`data:image/png;base64,${base64(red)}`], [1, 1]),
    );
    assert.deepEqual(dataUrl.json.outputs[0], {
      name: 'logits',
      datatype: 'FP32',
      shape: [1, 3],
      data: [1, 0, 0],
    });
    const raw = await server.post(url, red, { 'Inference-Header-Content-Length': '0' });
    assert.equal(raw.status, 200, raw.text);
    const length = Number(raw.headers.get('inference-header-content-length'));
    assert.deepEqual(floats(raw.bytes.subarray(length)), [1, 0, 0]);
  });

  test('ranks the classes of each image', async () => {
    await using server = await inference(files);
    const images = [await plainImage('#ff0000'), await plainImage('#0000ff')].map(base64);
    const outputs = [{ name: 'logits', parameters: { classification: 1 } }];
    const { json } = await server.post(url, { ...asText(images), outputs });
    assert.deepEqual(json.outputs[0].shape, [2, 1]);
    assert.deepEqual(json.outputs[0].data, ['1.000000:0:red', '1.000000:2:blue']);
  });

  test('takes images as members of JSON in generate', async () => {
    await using server = await inference(files);
    const [first, second] = pngs.map(base64);
    const expected = (await server.post(url, asText([first!, second!]))).json.outputs[0].data;
    const path = '/v2/models/colors/generate';
    const both = await server.post(path, { [INPUT]: [first, second] });
    near(both.json.logits, expected);
    const one = await server.post(path, { [INPUT]: first });
    near(one.json.logits, expected.slice(0, 3));
    const wrong = await server.post(path, { [INPUT]: [first, 'x'] });
    assert.match(wrong.json.error, /^Element 1 of input/);
  });

  test('has a run for each image in its statistics', async () => {
    await using server = await inference(files);
    const count = async () =>
      (await server.get('/v2/models/colors/stats')).json.model_stats[0].inference_count;
    const before = await count();
    await server.post(url, asText(pngs.map(base64)));
    assert.equal((await count()) - before, 3);
  });

  const good = base64(pngs[0]!);
  const cut = base64(pngs[1]!.subarray(0, pngs[1]!.length - 20));
  const refused: readonly (readonly [string, object, number, RegExp])[] = [
    [
      'a damaged image',
      asText([good, cut]),
      400,
      /^Element 1 of input .*pixel_values.*: The image/,
    ],
    ['a PDF', asText([good, base64(Buffer.from('%PDF-1.7'))]), 415, /^Element 1 .*a PDF/],
    ['an empty element', asText([good, '']), 400, /^Element 1 .* is empty/],
    ['a URL', asText(['https://example.com/a.png']), 400, /^Element 0 .* never fetched/],
    ['no base64', asText(['%%%%']), 400, /^Element 0 .* is not base64/],
    ['no image', asText([]), 400, /has no image/],
    ['too many images', asText(Array.from({ length: 33 }, () => good)), 400, /33 images.* 32/],
    ['another shape', asText([good, good], [1, 2]), 400, /\[1,2\]; expected \[n\] or \[n, 1\]/],
    [
      'another input',
      {
        inputs: [...asText([good]).inputs, { name: 'x', datatype: 'FP32', shape: [1], data: [1] }],
      },
      400,
      /alone; leave out .*x/,
    ],
    ['an unknown output', { ...asText([good]), outputs: [{ name: 'other' }] }, 400, /other/],
  ];
  for (const [what, request, expected, message] of refused) {
    test(`refuses ${what}`, async () => {
      await using server = await inference(files);
      const response = await server.post(url, request);
      assert.equal(response.status, expected, response.text);
      assert.match(response.json.error, message);
    });
  }

  test('refuses damaged images over gRPC, with the index of the element', () =>
    withClient(files, async (client) => {
      const contents = { bytes_contents: [pngs[0], pngs[1]!.subarray(0, 40)] };
      const call = client.call('ModelInfer', {
        model_name: 'colors',
        inputs: [{ name: INPUT, datatype: 'BYTES', shape: [2], contents }],
      });
      await fails(call, status.INVALID_ARGUMENT, /^Element 1 of input/);
    }));

  test('a deadline ends the decoding', async () => {
    await using server = await inference(files, { maxInFlight: 4 });
    const large = await plainImage('#123456', 'png', { width: 4000, height: 4000 });
    const { body, headers } = asBinary([large, large, large]);
    const response = await server.post(url, body, { ...headers, 'X-Request-Timeout-Ms': '1' });
    assert.equal(response.status, 504, response.text);
  });
});

test('a model without "input": "image" keeps the signature of its graph', async () => {
  await using server = await inference(folder('colors', colorClassifier()));
  const { json } = await server.get('/v2/models/colors');
  assert.deepEqual(json.inputs[0].datatype, 'FP32');
  const response = await server.post(url, asText([base64(pngs[0]!)]));
  assert.equal(response.status, 400);
});

test('a model that was to decode images and cannot says why', async () => {
  const unknown = JSON.stringify({ image_processor_type: 'LayoutLMv2ImageProcessor' });
  const own = decoding();
  await using server = await inference(
    folder('colors', { ...own, 'preprocessor_config.json': unknown }),
  );
  assert.equal((await server.get('/v2/models/colors')).json.inputs[0].datatype, 'FP32');
  const response = await server.post(url, asText([good()]));
  assert.equal(response.status, 503, response.text);
  assert.match(response.json.error, /cannot read images.*LayoutLMv2ImageProcessor/);
});

/** A graph whose output has the size of the image. */
const mask = (more: Parameters<typeof model>[0] = []) =>
  model([
    node('Relu', [INPUT], ['logits']),
    input(INPUT, FLOAT, ['batch', 3, 'height', 'width']),
    output('logits', FLOAT, ['batch', 3, 'height', 'width']),
    ...more,
  ]);

const segmenter = (graph: Uint8Array): Files =>
  folder('colors', {
    'model.json': JSON.stringify({ input: 'image', task: 'image-segmentation', head: 'semantic' }),
    'preprocessor_config.json': JSON.stringify({
      image_processor_type: 'DetrImageProcessor',
      size: { shortest_edge: 8, longest_edge: 32 },
      do_normalize: false,
    }),
    'config.json': JSON.stringify({ id2label: { 0: 'red', 1: 'green', 2: 'blue' } }),
    'onnx/model.onnx': graph,
  });

test('images whose outputs differ in shape are to be sent one at a time', async () => {
  await using server = await inference(segmenter(mask()));
  const small = base64(await plainImage('#ff0000', 'png', { width: 8, height: 8 }));
  const wide = base64(await plainImage('#ff0000', 'png', { width: 16, height: 8 }));
  const same = await server.post(url, asText([small, small]));
  assert.deepEqual(same.json.outputs?.[0].shape, [2, 3, 8, 8], same.text);
  const alone = await server.post(url, asText([wide]));
  assert.deepEqual(alone.json.outputs[0].shape, [1, 3, 8, 16]);
  const both = await server.post(url, asText([small, wide]));
  assert.equal(both.status, 400);
  assert.match(both.json.error, /\[1,3,8,8\].*\[1,3,8,16\].*one image at a time/);
});

test('a model with an output that has no rows takes one image at a time', async () => {
  const shape = [node('Shape', [INPUT], ['sizes']), output('sizes', INT64, [4])];
  await using server = await inference(segmenter(mask(shape)));
  const one = await server.post(url, asText([good()]));
  assert.deepEqual(one.json.outputs?.[1].data, [1, 3, 8, 8], one.text);
  const both = await server.post(url, asText([good(), good()]));
  assert.equal(both.status, 400);
  assert.match(both.json.error, /2 images.* no row .*sizes.*one image at a time/);
  const wanted = { ...asText([good(), good()]), outputs: [{ name: 'logits' }] };
  assert.deepEqual((await server.post(url, wanted)).json.outputs[0].shape, [2, 3, 8, 8]);
});

const good = (): string => base64(pngs[0]!);
