/** @module Small requests are read, and small responses written, in another way than large ones, with the same result. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCodec } from '../../native/index.ts';
import { SmallResponses } from '../../native/small-response.ts';
import type { Tensor } from '../../native/tensor-types.ts';

const codec = openCodec();
const encoder = new TextEncoder();
const options = { nonFinite: 'literal' } as const;

/** The request, or the message that refuses it. White space behind a body makes it a large one. */
function parsed(text: string, padding = '') {
  try {
    return codec.parseInferRequest(encoder.encode(text + padding), -1, options);
  } catch (error) {
    return String(error);
  }
}

const input = (datatype: string, shape: string, data: string, name = 'x') =>
  `{"name":"${name}","datatype":"${datatype}","shape":${shape},"data":${data}}`;
const request = (...inputs: string[]) => `{"inputs":[${inputs}]}`;

const requests = [
  request(input('FP32', '[1,4]', '[5.1,3.5,1.4,0.2]')),
  request(input('FP32', '[2]', '[NaN,-Infinity]')),
  request(input('INT64', '[2]', '[9223372036854775807,-9223372036854775808]')),
  request(input('UINT64', '[1]', '[18446744073709551615]')),
  request(input('BOOL', '[1,2]', '[true,false]'), input('INT8', '[3]', '[1,-128,127]', 'y')),
  request(input('FP16', '[1]', '[1.5]'), input('BF16', '[1]', '[-2]', 'y')),
  request(input('FP64', '[2,2]', '[[0.1,0.2],[0.3,1e300]]')),
  request(input('FP32', '[0]', '[]')),
  request(input('FP32', '[]', '[7]')),
  request(input('BYTES', '[2]', '["a","ä"]')),
  request(input('FP32', '[1]', '[1]', 'äöü')),
  request(),
  `{"id":"a-1","outputs":[{"name":"b"},{"name":"a"}],"inputs":[${input('FP32', '[1]', '[1]')}]}`,
  `{"outputs":[],"inputs":[${input('FP32', '[1]', '[1]')}]}`,
  `{"parameters":{"priority":2},"inputs":[${input('FP32', '[1]', '[1]')}]}`,
  `{"outputs":[{"name":"y","parameters":{"classification":2}}],"inputs":[]}`,
  // These are refused, with the same message.
  request(input('FP32', '[2]', '[1]')),
  request(input('INT8', '[1]', '[128]')),
  request(input('FP32', '[1]', '[1]'), input('FP32', '[1]', '[1]')),
  `{"inputs":[],"inputs":[]}`,
  '[]',
  '',
];

describe('small requests', () => {
  for (const text of requests) {
    test(text.slice(0, 80) || 'an empty body', () => {
      assert.deepEqual(parsed(text), parsed(text, ' '.repeat(5000)));
    });
  }

  test('the tensors of a request do not change when the next one is parsed', () => {
    const first = parsed(request(input('FP32', '[2]', '[1,2]')));
    parsed(request(input('FP32', '[2]', '[3,4]')));
    assert.ok(typeof first !== 'string');
    assert.deepEqual(first.tensors.x!.data, Float32Array.of(1, 2));
  });

  test('one element and many are copied alike', () => {
    for (const count of [1, 32, 33, 500]) {
      const numbers = Array.from({ length: count }, (_, i) => i);
      const read = parsed(request(input('INT16', `[${count}]`, `[${numbers}]`)));
      assert.ok(typeof read !== 'string');
      assert.deepEqual(read.tensors.x!.data, Int16Array.from(numbers));
    }
  });
});

describe('small responses', () => {
  const text = (body: string | Uint8Array) =>
    typeof body === 'string' ? body : new TextDecoder().decode(body);
  const encode = (tensor: Tensor, name = 'y') => {
    const outputs = [{ name, tensor, binary: false }];
    const response = { modelName: 'm "1"', modelVersion: '1', id: 'ä', outputs };
    const small = codec.encodeInferResponse(response, options);
    // An output of strings makes it a large one.
    const extra = {
      name: 'z',
      tensor: { type: 'string', dims: [0], data: [] },
      binary: false,
    } as const;
    const large = codec.encodeInferResponse({ ...response, outputs: [...outputs, extra] }, options);
    assert.equal(typeof small.body, 'string');
    assert.equal(typeof large.body, 'object');
    assert.equal(
      text(small.body),
      text(large.body).replace(',{"name":"z","datatype":"BYTES","shape":[0],"data":[]}', ''),
    );
    return JSON.parse(text(small.body).replace(/NaN|-?Infinity/g, 'null'));
  };

  test('numbers have the fewest digits that read back the same', () => {
    const { outputs, model_name, id } = encode({
      type: 'float32',
      dims: [1, 3],
      data: Float32Array.of(0.1, 1e-7, 3e38),
    });
    assert.deepEqual(outputs[0], {
      name: 'y',
      datatype: 'FP32',
      shape: [1, 3],
      data: [0.1, 1e-7, 3e38],
    });
    assert.equal(model_name, 'm "1"');
    assert.equal(id, 'ä');
  });

  test('equal large ones for 64-bit integers, bools, numbers that JSON lacks, and names to be escaped', () => {
    encode({ type: 'int64', dims: [1], data: BigInt64Array.of(2n ** 62n + 1n) });
    encode({ type: 'bool', dims: [2], data: Uint8Array.of(0, 1) });
    encode({ type: 'float64', dims: [2], data: Float64Array.of(NaN, -Infinity) });
    encode({ type: 'float32', dims: [0], data: new Float32Array(0) }, 'a"\n\u{1f600}');
  });

  test('each output has its own elements, however many the one before had', () => {
    const tensors: Tensor[] = [
      { type: 'int32', dims: [64], data: Int32Array.from({ length: 64 }, (_, i) => i) },
      { type: 'int8', dims: [2], data: Int8Array.of(-1, 127) },
      { type: 'uint64', dims: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
    ];
    const outputs = tensors.map((tensor, i) => ({ name: `y${i}`, tensor }));
    const { body } = codec.encodeInferResponse({ modelName: 'm', outputs }, options);
    assert.match(text(body), /62,63]},.*\[-1,127]},.*\[18446744073709551615]}]}$/);
  });

  test('no output is encoded if another makes the response a large one', () => {
    const refuse = () => assert.fail('an output was encoded');
    const small = {
      name: 'a',
      tensor: { type: 'int8', dims: [1], data: Int8Array.of(1) },
    } as const;
    const large = {
      name: 'b',
      tensor: { type: 'int8', dims: [65], data: new Int8Array(65) },
    } as const;
    const responses = new SmallResponses(refuse, {} as never, {} as never);
    assert.equal(responses.write({ modelName: 'm', outputs: [small, large] }, 0), undefined);
  });

  test('an array of another type is refused', () => {
    const tensor = { type: 'float32', dims: [1], data: Float64Array.of(1) } as unknown as Tensor;
    const response = { modelName: 'm', outputs: [{ name: 'y', tensor }] };
    assert.throws(() => codec.encodeInferResponse(response), /not a typed array for float32/);
  });
});
