/** @module `Float16Array`, on runtimes that have it. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openCodec, type Tensor, type Tensors } from '../../native/index.ts';
import { open, refused, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const halfArray: unknown = Reflect.get(globalThis, 'Float16Array');
const has = typeof halfArray === 'function';
const skip = has ? false : 'this runtime has no Float16Array';

// biome-ignore lint/suspicious/noExplicitAny: a type that not every runtime's library declares
const halves = (...values: number[]): any => Reflect.construct(halfArray as () => void, [values]);

describe('Float16Array', { skip }, () => {
  test('is accepted as float16, and its bits come back', () =>
    withModel(engine, 'identity-float16', async (model) => {
      const data = halves(1, -2, 0.5);
      const { y } = (await model.run({ x: { type: 'float16', dims: [1, 3], data } })).outputs;
      assert.deepEqual(y!.data, Uint16Array.of(0x3c00, 0xc000, 0x3800));
    }));

  test('may be a part of its memory, and is cut into the parts of a large request', () =>
    withModel(
      engine,
      'identity-float16',
      async (model) => {
        const all = halves(...Array.from({ length: 24 }, (_, i) => i));
        const data = all.subarray(3, 21);
        const { y } = (await model.run({ x: { type: 'float16', dims: [6, 3], data } })).outputs;
        assert.deepEqual(y!.data, new Uint16Array(all.buffer, 6, 18));
      },
      { batching: { maxRows: 4 } },
    ));

  for (const transfer of [true, 'lend'] as const) {
    test(`may be large, with transfer: ${transfer}`, () =>
      withModel(engine, 'identity-float16', async (model) => {
        const rows = 16_384;
        const data = halves(...Array.from({ length: rows * 3 }, (_, i) => i % 100));
        const bits = new Uint16Array(data.buffer).slice();
        const inputs: Tensors = { x: { type: 'float16', dims: [rows, 3], data } };
        const { y } = (await model.run(inputs, { transfer })).outputs;
        assert.deepEqual(y!.data, bits);
      }));
  }

  test('is refused for another element type', () =>
    withModel(engine, 'identity-float32', async (model) => {
      // biome-ignore lint/suspicious/noExplicitAny: what no caller in TypeScript could write
      const x: any = { type: 'float32', dims: [1, 3], data: halves(1, 2, 3) };
      await refused(model.run({ x }), 'INVALID_ARGUMENT', /'x' is not a typed array for float32/);
    }));

  test('is encoded as numbers in the JSON of a response with binary data', () => {
    const tensor: Tensor = { type: 'float16', dims: [2], data: halves(1, -2) };
    const outputs = [
      { name: 'y', tensor },
      { name: 'z', tensor, binary: true },
    ];
    const { body, headerLength } = openCodec().encodeInferResponse({ modelName: 'm', outputs });
    const json = new TextDecoder().decode((body as Uint8Array).subarray(0, headerLength));
    assert.deepEqual(JSON.parse(json).outputs[0].data, [1, -2]);
  });
});
