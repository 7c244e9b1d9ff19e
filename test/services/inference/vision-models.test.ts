/** @module Tests of encoded images over the protocol with architectures of transformers, torchvision and Ultralytics. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { encodeImages, type RunResult } from '../../../runtime/index.ts';
import { type Files, inference } from './support.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures/vision');
const wide = readFileSync(join(fixtures, 'images/wide.png'));
const high = readFileSync(join(fixtures, 'images/high.png'));

/** The files of a model, whose `model.json` says that it decodes images. */
function decoding(name: string): Files {
  const folder = join(fixtures, name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'expected.json')
    .map(({ parentPath, name: file }) => join(parentPath, file));
  const settings = join(folder, 'model.json');
  const own = existsSync(settings) ? JSON.parse(readFileSync(settings, 'utf8')) : {};
  return {
    ...Object.fromEntries(
      files.map((file) => [`m/${file.slice(folder.length + 1)}`, readFileSync(file)]),
    ),
    'm/model.json': JSON.stringify({ ...own, input: 'image' }),
  };
}

async function open(name: string) {
  const server = await inference(decoding(name));
  const version = server.runtime.routes.describe({ model: 'm', version: undefined });
  const image = version.image!;
  const waiter = { timeLeft: () => undefined };
  const ask = (images: readonly Uint8Array[]) =>
    server.post('/v2/models/m/infer', {
      inputs: [
        {
          ...{ name: image.input.name, datatype: 'BYTES', shape: [images.length] },
          data: images.map((each) => Buffer.from(each).toString('base64')),
        },
      ],
    });
  return {
    ...{ server, version, image, ask },
    /** The outputs of the graph for each image, which the runtime lays out. */
    async outputsOf(images: readonly Uint8Array[]): Promise<readonly RunResult['outputs'][]> {
      const input = { images, placeOf: String };
      const { runs } = await encodeImages(image, input, server.runtime.imageTools, waiter);
      const results = await Promise.all(runs.map((run) => version.run(run, {})));
      return results.map(({ outputs }) => outputs);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

type Numbers = readonly (number | bigint)[];

function same(actual: Numbers, expected: Numbers, about: string): void {
  assert.equal(actual.length, expected.length, about);
  for (const [i, value] of expected.entries()) {
    const [found, wanted] = [Number(actual[i]), Number(value)];
    const isNear = Math.abs(found - wanted) <= 1e-4 * Math.max(1, Math.abs(wanted));
    assert.ok(isNear || Object.is(found, wanted), `${about} ${i}: ${found}, not ${wanted}`);
  }
}

for (const name of [
  'vit',
  'clip-vision',
  'yolo-v8',
  'detr',
  'maskformer',
  'segformer',
  'yolo-v10',
]) {
  test(`outputs of ${name} are those of the graph, with a row for each image`, async () => {
    await using model = await open(name);
    const { inputs } = (await model.server.get('/v2/models/m')).json;
    const shown = { name: model.image.input.name, datatype: 'BYTES', shape: [-1] };
    assert.deepEqual(inputs, [shown]);
    const images = [wide, wide];
    const response = await model.ask(images);
    assert.equal(response.status, 200, response.text);
    const expected = await model.outputsOf(images);
    for (const { name: output, shape, data } of response.json.outputs) {
      const [first, second] = expected.map((each) => each[output]!);
      assert.deepEqual(shape, [2, ...first!.dims.slice(1)]);
      same(data, [...(first!.data as never), ...(second!.data as never)], output);
    }
  });
}

test('a model of transformers whose images have different sizes takes each alone', async () => {
  await using model = await open('detr');
  for (const image of [wide, high]) {
    const response = await model.ask([image]);
    assert.equal(response.status, 200, response.text);
    const [expected] = await model.outputsOf([image]);
    for (const { name, data } of response.json.outputs) {
      same(data, [...(expected![name]!.data as never)], name);
    }
  }
});

for (const name of ['faster-rcnn', 'mask-rcnn', 'ssd']) {
  test(`${name}, which has no dimension of rows, takes one image at a time`, async () => {
    await using model = await open(name);
    const response = await model.ask([wide]);
    assert.equal(response.status, 200, response.text);
    const [expected] = await model.outputsOf([wide]);
    for (const { name: output, shape, data } of response.json.outputs) {
      assert.deepEqual(shape, expected![output]!.dims);
      same(data, [...(expected![output]!.data as never)], output);
    }
    const both = await model.ask([wide, high]);
    assert.equal(both.status, 400);
    assert.match(both.json.error, /send one image at a time/);
  });
}
