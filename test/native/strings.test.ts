/** @module Strings of any bytes: as inputs, as outputs and in messages. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  countPackedStrings,
  type PackedTensor,
  packStrings,
  quote,
  unpackStrings,
} from '../../native/index.ts';
import { open, refused, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const elements = [every, Uint8Array.of(0), Uint8Array.of(), Uint8Array.of(0xff, 0xfe, 0)];

/** Rows of three strings, each of which starts with bytes that are not UTF-8. */
function rowsOf(rows: number): PackedTensor {
  const strings = Array.from({ length: rows * 3 }, (_, i) =>
    Uint8Array.of(0xc3, 0, ...elements[i % elements.length]!.subarray(0, (i % 7) + 1)),
  );
  return { type: 'string', dims: [rows, 3], data: packStrings(strings) };
}

describe('strings of any bytes', () => {
  for (const rows of [1, 2, 700]) {
    test(`${rows} rows pass a model unchanged`, () =>
      withModel(
        engine,
        'identity-string',
        async (model) => {
          const x = rowsOf(rows);
          const { outputs, packedStrings } = await model.run({ x }, { packStrings: true });
          assert.deepEqual(outputs, {});
          assert.deepEqual(packedStrings!.y!.dims, [rows, 3]);
          assert.deepEqual(packedStrings!.y!.data, x.data);
        },
        { batching: { maxRows: 8 } },
      ));
  }

  test('several requests in one batch each get their own strings', () =>
    withModel(engine, 'identity-string', async (model) => {
      const requests = [1, 2, 3].map(rowsOf);
      const results = await Promise.all(
        requests.map((x) => model.run({ x }, { packStrings: true })),
      );
      for (const [i, { packedStrings }] of results.entries()) {
        assert.deepEqual(packedStrings!.y!.data, requests[i]!.data);
      }
    }));

  test('are returned as a list if they are UTF-8, and are refused as a list if they are not', () =>
    withModel(engine, 'identity-string', async (model) => {
      const strings = ['ä\0b', '', '\u{1f4a1}'];
      const text: PackedTensor = { type: 'string', dims: [1, 3], data: packStrings(strings) };
      assert.deepEqual((await model.run({ x: text })).outputs.y!.data, strings);
      await refused(model.run({ x: rowsOf(1) }), 'INVALID_ARGUMENT', /'y' .* not UTF-8/);
      // The records after that of a refused request are read from the right place.
      const both = await Promise.allSettled([model.run({ x: rowsOf(1) }), model.run({ x: text })]);
      assert.deepEqual(
        both.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      );
    }));

  test('a getter among the strings may run another request, even one that is refused', () =>
    withModel(engine, 'identity-string', async (model) => {
      const data = ['a', 'b', 'c'];
      const x = { type: 'string', dims: [1, 3], data } as const;
      let inner: ReturnType<typeof model.run> | undefined;
      Object.defineProperty(data, 1, {
        get() {
          inner ??= model.run({ x: { type: 'string', dims: [2, 3], data: ['1', '2', '3'] } });
          return 'b';
        },
      });
      const outer = model.run({ x }, { timeoutMs: 10_000 });
      await refused(inner!, 'INVALID_ARGUMENT', /has 3 strings/);
      assert.deepEqual((await outer).outputs.y!.data, ['a', 'b', 'c']);
    }));

  const wrong: Readonly<Record<string, Uint8Array>> = {
    'one too few': packStrings(['a', 'b']),
    'one too many': packStrings(['a', 'b', 'c', 'd']),
    'an end in the middle of a length': packStrings(['a', 'b', 'c']).subarray(0, -3),
    'an end in the middle of a string': packStrings(['a', 'b', 'cc']).subarray(0, -1),
    'a length as long as it can be': Uint8Array.of(255, 255, 255, 255, 0),
    nothing: new Uint8Array(),
  };
  for (const [name, data] of Object.entries(wrong)) {
    test(`${name} is refused`, () =>
      withModel(engine, 'identity-string', async (model) => {
        const x: PackedTensor = { type: 'string', dims: [1, 3], data };
        await refused(model.run({ x }), 'INVALID_ARGUMENT', /the 3 strings that its shape/);
      }));
  }
});

describe('the codec', () => {
  const { codec } = engine;

  test('leaves binary strings in the body', () => {
    const { data } = rowsOf(1);
    const json = JSON.stringify({
      inputs: [
        {
          name: 'x',
          datatype: 'BYTES',
          shape: [1, 3],
          parameters: { binary_data_size: data.length },
        },
      ],
    });
    const body = new Uint8Array(json.length + data.length);
    new TextEncoder().encodeInto(json, body);
    body.set(data, json.length);
    const { x } = codec.parseInferRequest(body, json.length).tensors;
    assert.deepEqual(x!.data, data);
    assert.equal((x!.data as Uint8Array).buffer, body.buffer);
  });

  test('writes packed strings as they are in binary data, and in JSON if they are UTF-8', () => {
    const response = (data: Uint8Array, binary: boolean) => ({
      modelName: 'm',
      outputs: [{ name: 'y', tensor: { type: 'string', dims: [1, 3], data }, binary } as const],
    });
    const { data } = rowsOf(1);
    const { body, headerLength } = codec.encodeInferResponse(response(data, true));
    assert.deepEqual((body as Uint8Array).subarray(headerLength), data);
    const strings = ['a"\0', '', 'ä'];
    const text = codec.encodeInferResponse(response(packStrings(strings), false)).body;
    assert.deepEqual(
      JSON.parse(new TextDecoder().decode(text as Uint8Array)).outputs[0].data,
      strings,
    );
    assert.throws(() => codec.encodeInferResponse(response(data, false)), {
      code: 'INVALID_ARGUMENT',
      message: /Element 0 .* not UTF-8.*binary data/,
    });
  });

  test('packs and unpacks strings', () => {
    const packed = packStrings(elements);
    assert.deepEqual(unpackStrings(packed), elements);
    assert.equal(countPackedStrings(packed), 4);
    assert.equal(countPackedStrings(packed.subarray(1)), undefined);
    assert.deepEqual(unpackStrings(new Uint8Array()), []);
  });
});

test('quote returns a short text on one line', () => {
  assert.equal(quote('iris'), "'iris'");
  assert.equal(quote('a\nb\ud800'), "'a\ufffdb\ufffd'");
  assert.equal(quote('💡'.repeat(200)), `'${'💡'.repeat(100)}…'`);
  assert.equal(quote('n'.repeat(100)), `'${'n'.repeat(100)}'`);
});
