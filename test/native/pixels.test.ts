/** @module Inputs as pixels: the output equals that of the same image in planes. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { LoadOptions, Tensor } from '../../native/index.ts';
import { fixture, float32, open, refused, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const MEAN = [0.5, 0.25];
const STD = [0.2, 0.4];
const form = { from: 'uint8-hwc', mean: MEAN, std: STD } as const;
const asPixels: Omit<LoadOptions, 'path'> = { inputs: { image: form } };

/** `rows` images of 2 channels, each byte different from its neighbours. */
function pixels(rows: number, height: number, width: number, seed = 0): Tensor<'uint8'> {
  const data = new Uint8Array(rows * height * width * 2);
  for (let i = 0; i < data.length; i++) data[i] = (i * 37 + seed * 101) % 256;
  return { type: 'uint8', dims: [rows, height, width, 2], data };
}

/** The expected output: the model negates its planes. */
function expected({ dims, data }: Tensor<'uint8'>, scale = 1 / 255): number[] {
  const [rows, height, width] = dims as [number, number, number];
  const planes: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < 2; c++) {
      for (let i = 0; i < height * width; i++) {
        const byte = data[(row * height * width + i) * 2 + c]!;
        planes.push(-(byte * scale - MEAN[c]!) / STD[c]!);
      }
    }
  }
  return planes;
}

function assertClose(actual: Tensor | undefined, wanted: readonly number[]): void {
  assert.equal(actual?.data.length, wanted.length);
  for (const [i, value] of wanted.entries()) {
    const off = Math.abs((actual!.data[i] as number) - value);
    assert.ok(off < 1e-5 * (1 + Math.abs(value)), `${i}: ${actual!.data[i]}, not ${value}`);
  }
}

describe('inputs as pixels', () => {
  test('the signature shows the pixels that requests send', () =>
    withModel(
      engine,
      'image-axes',
      ({ signature }) => {
        const [image] = signature.inputs;
        assert.equal(image?.type, 'uint8');
        assert.deepEqual(image?.dims, [-1, -1, -1, 2]);
        assert.deepEqual(image?.symbols, ['N', 'height', 'width', '']);
      },
      asPixels,
    ));

  test('a lone request and batched requests are normalised', () =>
    withModel(
      engine,
      'image-axes',
      async (model) => {
        const alone = pixels(1, 3, 5);
        const { outputs } = await model.run({ image: alone });
        assert.deepEqual(outputs.negative?.dims, [1, 2, 3, 5]);
        assertClose(outputs.negative, expected(alone));
        const many = Array.from({ length: 8 }, (_, seed) => pixels(1 + (seed % 3), 4, 7, seed));
        const results = await Promise.all(many.map((image) => model.run({ image })));
        for (const [i, result] of results.entries()) {
          assertClose(result.outputs.negative, expected(many[i]!));
        }
        assert.ok(results.some(({ timings }) => timings.batchRequests > 1));
      },
      { ...asPixels, instances: 1, inline: false },
    ));

  test('a large image is handed over and not copied on the JavaScript thread', () =>
    withModel(
      engine,
      'image-axes',
      async (model) => {
        const image = pixels(2, 224, 224);
        const wanted = expected(image);
        const { outputs } = await model.run({ image }, { transfer: true });
        assert.equal(image.data.length, 0);
        assertClose(outputs.negative, wanted);
      },
      asPixels,
    ));

  test('another scale is applied', () =>
    withModel(
      engine,
      'image-axes',
      async (model) => {
        const image = pixels(1, 2, 2);
        const { outputs } = await model.run({ image });
        assertClose(outputs.negative, expected(image, 0.5));
      },
      { inputs: { image: { ...form, scale: 0.5 } } },
    ));

  test('requests are checked against the signature of pixels', () =>
    withModel(
      engine,
      'image-axes',
      async (model) => {
        const planes = { ...float32([1, 2]), dims: [1, 2, 1, 1] };
        await refused(model.run({ image: planes }), 'INVALID_ARGUMENT', /expects uint8/);
        const three = { type: 'uint8', dims: [1, 1, 1, 3], data: new Uint8Array(3) } as const;
        await refused(model.run({ image: three }), 'INVALID_ARGUMENT', /\[-1,-1,-1,2\]/);
      },
      asPixels,
    ));

  describe('requests of either form', () => {
    const either = { inputs: { image: { ...form, either: true } } };
    const planesOf = (image: Tensor<'uint8'>): Tensor<'float32'> => {
      const [rows, height, width, channels] = image.dims as [number, number, number, number];
      const data = Float32Array.from(expected(image), (value) => -value);
      return { type: 'float32', dims: [rows, channels, height, width], data };
    };

    test('the signature shows the form of the model', () =>
      withModel(
        engine,
        'image-axes',
        ({ signature }) => {
          assert.equal(signature.inputs[0]?.type, 'float32');
          assert.deepEqual(signature.inputs[0]?.dims, [-1, 2, -1, -1]);
        },
        either,
      ));

    test('pixels and planes have the same outputs, also those whose shapes are equal', () =>
      withModel(
        engine,
        'image-axes',
        async (model) => {
          // [rows, 2, 2, 2] is a shape of pixels and one of planes.
          const many = Array.from({ length: 12 }, (_, seed) =>
            pixels(1 + (seed % 3), 2, seed % 4 < 2 ? 2 : 5, seed),
          );
          const results = await Promise.all(
            many.map((image, i) => model.run({ image: i % 2 === 0 ? image : planesOf(image) })),
          );
          for (const [i, { outputs }] of results.entries()) {
            const { data } = outputs.negative!;
            assert.deepEqual(outputs.negative!.dims, planesOf(many[i]!).dims);
            assertClose(outputs.negative, expected(many[i]!));
            assert.equal(data.length, many[i]!.data.length);
          }
          assert.ok(results.some(({ timings }) => timings.batchRequests > 1));
        },
        { ...either, instances: 1, inline: false },
      ));

    test('a large image is borrowed in both forms', () =>
      withModel(
        engine,
        'image-axes',
        async (model) => {
          const image = pixels(1, 224, 224);
          const wanted = expected(image);
          const planes = planesOf(image);
          for (const input of [image, planes]) {
            const { outputs } = await model.run({ image: input }, { transfer: true });
            assertClose(outputs.negative, wanted);
          }
        },
        either,
      ));

    test('another type and the shape of the other form are refused', () =>
      withModel(
        engine,
        'image-axes',
        async (model) => {
          const halves = {
            type: 'float64',
            dims: [1, 2, 1, 1],
            data: new Float64Array(2),
          } as const;
          const either = /float64, but the model expects float32, or uint8 pixels/;
          await refused(model.run({ image: halves }), 'INVALID_ARGUMENT', either);
          const turned = { type: 'uint8', dims: [1, 2, 3, 3], data: new Uint8Array(18) } as const;
          await refused(model.run({ image: turned }), 'INVALID_ARGUMENT', /\[-1,-1,-1,2\]/);
        },
        either,
      ));
  });

  test('sizes that the file leaves open can be set by their names', () =>
    withModel(
      engine,
      'image-axes',
      async (model) => {
        assert.deepEqual(model.signature.inputs[0]?.dims, [-1, 4, 5, 2]);
        const image = pixels(1, 4, 5);
        const { outputs } = await model.run({ image });
        assertClose(outputs.negative, expected(image));
        const other = model.run({ image: pixels(1, 5, 4) });
        await refused(other, 'INVALID_ARGUMENT', /\[-1,4,5,2\]/);
      },
      { ...asPixels, dimensions: { height: 4, width: 5, depth: 7 } },
    ));

  test('a size that is no whole number is refused', async () => {
    const loading = engine.load({ path: fixture('image-axes'), dimensions: { height: 0.5 } });
    await refused(loading, 'INVALID_ARGUMENT', /dimensions\.height is 0\.5/);
  });

  test('a form that does not fit the model is refused', async () => {
    const load = (inputs: NonNullable<LoadOptions['inputs']>, name = 'image-axes') =>
      engine.load({ path: fixture(name), inputs });
    const invalid = 'INVALID_ARGUMENT';
    await refused(load({ picture: form }), invalid, /no input 'picture'/);
    await refused(load({ image: { ...form, mean: [1] } }), invalid, /has 2 channels/);
    await refused(load({ image: { ...form, std: [1, 0] } }), invalid, /no std is 0/);
    await refused(load({ image: { ...form, std: [Number.NaN, 1] } }), invalid, /mean and std/);
    await refused(load({ image: { ...form, from: 'png' as never } }), invalid, /uint8-hwc/);
    await refused(load({ x: form }, 'length-doubles'), invalid, /3 dimensions, or 4 with rows/);
  });
});
