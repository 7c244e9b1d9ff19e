/** @module Numbers as bytes at any offset: the data of a message is not copied to align it. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Codec, elementArrays, type PackedTensor, type Tensor } from '../../native/index.ts';
import { open, refused, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

type NumberType = keyof typeof elementArrays;
const types = Object.keys(elementArrays) as NumberType[];

/** Rows of three elements whose bytes are 0 and 1, behind `offset` other bytes. */
function packed(type: NumberType, rows: number, offset: number): PackedTensor {
  const length = rows * 3 * elementArrays[type].BYTES_PER_ELEMENT;
  const data = new Uint8Array(offset + length).subarray(offset);
  for (let at = 0; at < length; at += 7) data[at] = 1;
  return { type, dims: [rows, 3], data };
}

const bytes = ({ data }: Tensor | PackedTensor): number[] => {
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  return [...new Uint8Array(buffer, byteOffset, byteLength)];
};

describe('packed numbers', () => {
  for (const type of types) {
    test(`of ${type} are its elements, at any offset`, () =>
      withModel(engine, `identity-${type}`, async (model) => {
        for (const offset of [0, 1, 2, 3, 4, 7]) {
          const x = packed(type, 2, offset);
          const { y } = (await model.run({ x })).outputs;
          assert.ok(y!.data instanceof elementArrays[type]);
          assert.deepEqual(bytes(y!), bytes(x));
        }
      }));
  }

  for (const transfer of [false, true]) {
    test(`are ${transfer ? 'handed over' : 'copied'} if they are large`, () =>
      withModel(engine, 'identity-float32', async (model) => {
        const x = packed('float32', 10_000, 5);
        const expected = bytes(x);
        const { y } = (await model.run({ x }, { transfer })).outputs;
        assert.deepEqual(bytes(y!), expected);
        assert.equal(x.data.length === 0, transfer);
      }));

    test(`of more rows than a batch run in parts ${transfer ? 'with' : 'without'} transfer`, () =>
      withModel(
        engine,
        'identity-float64',
        async (model) => {
          const x = packed('float64', 10_000, 3);
          const expected = bytes(x);
          const { y } = (await model.run({ x }, { transfer })).outputs;
          assert.deepEqual(bytes(y!), expected);
        },
        { batching: { maxRows: 999 } },
      ));
  }

  test('of many requests share a batch', () =>
    withModel(engine, 'reduce-mean-image', async (model) => {
      const runs = Array.from({ length: 20 }, (_, index) => {
        const image = new Float32Array(3 * 224 * 224).fill(index);
        const body = new Uint8Array(image.byteLength + 1);
        body.set(new Uint8Array(image.buffer), 1);
        const data = body.subarray(1);
        const x: PackedTensor = { type: 'float32', dims: [1, 3, 224, 224], data };
        return model.run({ x }, { transfer: true });
      });
      for (const [index, { outputs }] of (await Promise.all(runs)).entries()) {
        assert.ok(Math.abs((outputs.y!.data as Float32Array)[0]! - index) < 1e-3);
      }
    }));

  test('are refused if they are too many, too few or not whole elements', () =>
    withModel(engine, 'identity-float32', async (model) => {
      for (const length of [0, 8, 11, 13, 16]) {
        const x: PackedTensor = { type: 'float32', dims: [1, 3], data: new Uint8Array(length) };
        const message = new RegExp(`'x' has ${length} bytes.*3 elements of 4 bytes`);
        await refused(model.run({ x }), 'INVALID_ARGUMENT', message);
      }
    }));

  test('are refused in signed or clamped bytes, which are not the bytes of a message', () =>
    withModel(engine, 'identity-float32', async (model) => {
      for (const array of [Int8Array, Uint8ClampedArray]) {
        const data = new array(12) as unknown as Uint8Array;
        const x: PackedTensor = { type: 'float32', dims: [1, 3], data };
        await refused(model.run({ x }), 'INVALID_ARGUMENT', /typed array/);
      }
    }));
});

describe('the binary data of a request', () => {
  const { codec } = engine;

  for (const type of types) {
    test(`of ${type} stays in the memory of the body`, () => {
      for (let padding = 0; padding < 8; padding++) isView(codec, type, padding);
    });
  }
});

/** Parses a request of which the JSON is longer by `padding`. */
function isView({ parseInferRequest }: Codec, type: NumberType, padding: number): void {
  const { data: numbers } = packed(type, 1, 0);
  const datatype = { float16: 'FP16', float32: 'FP32', float64: 'FP64', bfloat16: 'BF16' };
  const json = JSON.stringify({
    id: '-'.repeat(padding),
    inputs: [
      {
        name: 'x',
        datatype: datatype[type as 'float16'] ?? type.toUpperCase(),
        shape: [1, 3],
        parameters: { binary_data_size: numbers.length },
      },
    ],
  });
  const body = new Uint8Array(json.length + numbers.length);
  new TextEncoder().encodeInto(json, body);
  body.set(numbers, json.length);
  const { x } = parseInferRequest(body, json.length).tensors;
  const { buffer, byteOffset, byteLength } = x!.data as Uint8Array;
  assert.equal(buffer, body.buffer);
  assert.deepEqual([byteOffset, byteLength], [json.length, numbers.length]);
  const aligned = json.length % elementArrays[type].BYTES_PER_ELEMENT === 0;
  assert.ok(x!.data instanceof (aligned ? elementArrays[type] : Uint8Array));
  assert.deepEqual(bytes(x! as Tensor), [...numbers]);
}
