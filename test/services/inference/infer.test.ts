/** @module Tests infer requests of the protocol, in JSON and with binary data, on real models. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { binary, inference } from './support.ts';

const iris = { id: 'a', inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] };
const identity = { 'f/1/model.onnx': '=identity-float32' };
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** For each datatype, an identity model and values that must pass through it unchanged. */
const values: Readonly<Record<string, readonly [model: string, data: readonly unknown[]]>> = {
  FP32: ['float32', [1.5, -2, 0.1]],
  FP64: ['float64', [1.5, -2, 0.1]],
  FP16: ['float16', [1.5, -2, 0.25]],
  BF16: ['bfloat16', [1.5, -2, 0.25]],
  INT8: ['int8', [-128, 0, 127]],
  INT16: ['int16', [-32768, 0, 32767]],
  INT32: ['int32', [-2147483648, 0, 2147483647]],
  UINT8: ['uint8', [0, 1, 255]],
  UINT16: ['uint16', [0, 1, 65535]],
  UINT32: ['uint32', [0, 1, 4294967295]],
  BOOL: ['bool', [true, false, true]],
  BYTES: ['string', ['', 'äöü \u0000 "x"', 'z']],
};

describe('every datatype in JSON', () => {
  for (const [datatype, [model, data]] of Object.entries(values)) {
    test(`${datatype} passes through a model unchanged`, async () => {
      await using server = await inference({ 'm/1/model.onnx': `=identity-${model}` });
      const inputs = [{ name: 'x', datatype, shape: [1, 3], data }];
      const { status, json } = await server.post('/v2/models/m/infer', { inputs });
      assert.equal(status, 200, JSON.stringify(json));
      assert.deepEqual(json, {
        model_name: 'm',
        model_version: '1',
        outputs: [{ name: 'y', datatype, shape: [1, 3], data }],
      });
    });
  }
  for (const [datatype, extremes] of Object.entries({
    INT64: ['-9223372036854775808', '9007199254740993', '9223372036854775807'],
    UINT64: ['0', '9007199254740993', '18446744073709551615'],
  })) {
    test(`${datatype} keeps all digits`, async () => {
      const model = datatype.toLowerCase();
      await using server = await inference({ 'm/1/model.onnx': `=identity-${model}` });
      const body = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,3],"data":[${extremes}]}]}`;
      const { status, text } = await server.post('/v2/models/m/infer', body);
      assert.equal(status, 200, text);
      assert.ok(text.includes(`"data":[${extremes}]`), text);
    });
  }
});

describe('binary data', () => {
  test('is accepted in the request and sent in the response', async () => {
    await using server = await inference(identity);
    const { body, headers } = binary(
      {
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
        ],
        outputs: [{ name: 'y', parameters: { binary_data: true } }],
      },
      floats(1, 2, 3, 4, 5, 6),
    );
    const response = await server.post('/v2/models/f/infer', body, headers);
    assert.equal(response.status, 200, response.text);
    assert.equal(response.headers.get('content-type'), 'application/octet-stream');
    const length = Number(response.headers.get('inference-header-content-length'));
    assert.deepEqual(JSON.parse(response.text.slice(0, length)).outputs, [
      { name: 'y', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
    ]);
    assert.deepEqual(response.bytes.slice(length), floats(1, 2, 3, 4, 5, 6));
  });

  test('has the length of each BYTES element before it', async () => {
    await using server = await inference({ 's/1/model.onnx': '=identity-string' });
    const blob = Uint8Array.of(2, 0, 0, 0, 104, 105, 0, 0, 0, 0, 1, 0, 0, 0, 33);
    const parameters = { binary_data_size: blob.length };
    const { body, headers } = binary(
      {
        inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 3], parameters }],
        parameters: { binary_data_output: true },
      },
      blob,
    );
    const response = await server.post('/v2/models/s/infer', body, headers);
    assert.equal(response.status, 200, response.text);
    assert.deepEqual(response.bytes.slice(-blob.length), blob);
  });

  test('and JSON may be mixed in one request and response', async () => {
    await using server = await inference({ 't/1/model.onnx': '=two-in-two-out' });
    const { body, headers } = binary(
      {
        inputs: [
          { name: 'a', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
          { name: 'b', datatype: 'INT64', shape: [1, 2], parameters: { binary_data_size: 16 } },
        ],
        outputs: [{ name: 'product', parameters: { binary_data: true } }, { name: 'sum' }],
      },
      new Uint8Array(BigInt64Array.of(3n, 4n).buffer),
    );
    const response = await server.post('/v2/models/t/infer', body, headers);
    assert.equal(response.status, 200, response.text);
    const length = Number(response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(response.text.slice(0, length));
    assert.deepEqual(
      outputs.map(({ name, data }: { name: string; data?: unknown }) => [name, data !== undefined]),
      [
        ['product', false],
        ['sum', true],
      ],
    );
    assert.equal(response.bytes.length - length, 8);
  });

  test('is the form of unlisted outputs if binary_data_output is true, but not of listed ones', async () => {
    await using server = await inference(identity);
    const parameters = { binary_data_output: true };
    const all = await server.post('/v2/models/f/infer', { ...iris, parameters });
    assert.equal(all.headers.get('content-type'), 'application/octet-stream');
    const listed = { ...iris, parameters, outputs: [{ name: 'y' }] };
    const { json } = await server.post('/v2/models/f/infer', listed);
    assert.deepEqual(json.outputs[0].data, [1, 2, 3]);
  });

  test('without JSON is the data of the only input', async () => {
    await using server = await inference(identity);
    const raw = { 'Inference-Header-Content-Length': '0' };
    const response = await server.post('/v2/models/f/infer', floats(7, 8, 9), raw);
    assert.equal(response.status, 200, response.text);
    assert.deepEqual(response.bytes.slice(-12), floats(7, 8, 9));
    const wrong = await server.post('/v2/models/f/infer', floats(7).slice(0, 3), raw);
    assert.equal(wrong.status, 400);
    assert.match(wrong.json.error, /^The body has 3 bytes: input 'x' takes /);
  });

  test('is refused if its lengths are wrong', async () => {
    await using server = await inference(identity);
    const sized = (bytes: number) =>
      binary(
        {
          inputs: [
            { name: 'x', datatype: 'FP32', shape: [1, 3], parameters: { binary_data_size: bytes } },
          ],
        },
        floats(1, 2, 3),
      );
    for (const [bytes, length] of [
      [8, undefined],
      [16, undefined],
      [0, undefined],
      [12, '5'],
      [12, '100000'],
      [12, '-1'],
      [12, 'x'],
      [12, '99999999999999999999'],
    ] as const) {
      const { body, headers } = sized(bytes);
      const wrong = length === undefined ? headers : { 'Inference-Header-Content-Length': length };
      const { status, json } = await server.post('/v2/models/f/infer', body, wrong);
      assert.equal(status, 400, `${bytes} ${length}`);
      assert.ok(json.error.length > 20, json.error);
    }
    const good = await server.post('/v2/models/f/infer', iris);
    assert.equal(good.status, 200);
  });
});

describe('compression', () => {
  const body = new TextEncoder().encode(JSON.stringify(iris));
  for (const [coding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    test(`a body in ${coding} is decompressed`, async () => {
      await using server = await inference(identity);
      const packed = new Uint8Array(pack(body));
      const { status, json } = await server.post('/v2/models/f/infer', packed, {
        'Content-Encoding': coding,
      });
      assert.equal(status, 200);
      assert.deepEqual(json.outputs[0].data, [1, 2, 3]);
    });
  }

  test('a response is compressed if the client accepts it and the body is long enough', async () => {
    await using server = await inference(identity);
    const rows = 400;
    const data = Array.from({ length: 3 * rows }, (_, i) => i);
    const large = { inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 3], data }] };
    for (const [accept, unpack] of [
      ['gzip', gunzipSync],
      ['deflate, gzip;q=0.5', inflateSync],
    ] as const) {
      const response = await server.post('/v2/models/f/infer', large, {
        'Accept-Encoding': accept,
      });
      assert.equal(response.headers.get('content-encoding'), accept.split(',')[0]);
      assert.deepEqual(JSON.parse(unpack(response.bytes).toString()).outputs[0].data, data);
    }
    for (const accept of ['identity', 'br', 'gzip;q=0', '']) {
      const response = await server.post('/v2/models/f/infer', large, {
        'Accept-Encoding': accept,
      });
      assert.equal(response.headers.get('content-encoding'), null, accept);
    }
    const small = await server.post('/v2/models/f/infer', iris, { 'Accept-Encoding': 'gzip' });
    assert.equal(small.headers.get('content-encoding'), null);
  });

  test('unknown codings, invalid data and bodies that exceed the limit when decompressed are refused', async () => {
    await using server = await inference(identity, { maxRequestBytes: 100_000 });
    const send = (bytes: Uint8Array, coding: string) =>
      server.post('/v2/models/f/infer', bytes, { 'Content-Encoding': coding });
    assert.equal((await send(body, 'br')).status, 415);
    assert.equal((await send(body, 'gzip')).status, 400);
    assert.equal((await send(new Uint8Array(gzipSync(body)).slice(0, -9), 'gzip')).status, 400);
    const bomb = new Uint8Array(gzipSync(new Uint8Array(50_000_000)));
    assert.ok(bomb.length < 100_000);
    assert.equal((await send(bomb, 'gzip')).status, 413);
    assert.equal((await send(new Uint8Array(200_000), 'identity')).status, 413);
  });
});

describe('parameters', () => {
  test('the response has the id of the request', async () => {
    await using server = await inference(identity);
    assert.equal((await server.post('/v2/models/f/infer', iris)).json.id, 'a');
  });

  test('classification ranks each row and names the classes', async () => {
    await using server = await inference({
      'f/1/model.onnx': '=identity-float32',
      'f/labels.txt': 'cat\ndog\nfox\n',
      'f/config.pbtxt':
        'max_batch_size: 4 output { name: "y" data_type: TYPE_FP32 dims: 3 label_filename: "labels.txt" }',
    });
    const send = (classification: unknown, data = [0.25, 3.5, 1, 9, 8, 7]) =>
      server.post('/v2/models/f/infer', {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 3], data }],
        outputs: [{ name: 'y', parameters: { classification } }],
      });
    assert.deepEqual((await send(2)).json.outputs, [
      {
        name: 'y',
        datatype: 'BYTES',
        shape: [2, 2],
        data: ['3.500000:1:dog', '1.000000:2:fox', '9.000000:0:cat', '8.000000:1:dog'],
      },
    ]);
    assert.deepEqual((await send(9)).json.outputs[0].shape, [2, 3]);
    assert.equal((await send('two')).status, 400);
  });

  test('priority and timeout are checked', async () => {
    await using server = await inference(identity);
    const send = (parameters: object) => server.post('/v2/models/f/infer', { ...iris, parameters });
    for (const good of [
      { priority: 0 },
      { priority: 2 },
      { timeout: 5_000_000 },
      { custom: 'x' },
    ]) {
      assert.equal((await send(good)).status, 200, JSON.stringify(good));
    }
    for (const [bad, message] of [
      [{ priority: -1 }, /priority must be a whole number/],
      [{ priority: 1000 }, /priority is 1000: expected/],
      [{ timeout: 1.5 }, /timeout must be a whole number/],
      [{ timeout: 'soon' }, /timeout must be/],
      [{ sequence_id: 7 }, /sequence_id is not supported/],
      [{ triton_x: 1 }, /'triton_x' is reserved/],
      [{ binary_data_output: 1 }, /true or false/],
    ] as const) {
      const { status, json } = await send(bad);
      assert.equal(status, 400, JSON.stringify(bad));
      assert.match(json.error, message);
    }
  });
});

test('NaN and the infinities are written as in Triton', async () => {
  await using server = await inference(identity);
  const body =
    '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[NaN,Infinity,-Infinity]}]}';
  const { text, status } = await server.post('/v2/models/f/infer', body);
  assert.equal(status, 200, text);
  assert.match(text, /"data":\[NaN,Infinity,-Infinity\]/);
});

test('a tensor without elements does not break the server', async () => {
  await using server = await inference(identity);
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [0, 3], data: [] }];
  const { status, text } = await server.post('/v2/models/f/infer', { inputs });
  assert.ok(status === 200 || status === 400, text);
});

describe('invalid requests', () => {
  const input = iris.inputs[0]!;
  const cases: Readonly<Record<string, readonly [unknown, number, RegExp]>> = {
    'a body that is not JSON': ['{', 400, /not valid JSON/],
    'an empty body': ['', 400, /JSON/],
    'a list': ['[]', 400, /must be a JSON object/],
    'a request without inputs': [{}, 400, /inputs/],
    'an additional input': [{ inputs: [input, { ...input, name: 'z' }] }, 400, /no input 'z'/],
    'an input twice': [{ inputs: [input, input] }, 400, /twice/],
    'an input with a wrong name': [{ inputs: [{ ...input, name: 'z' }] }, 400, /'x' is missing/],
    'an input without a name': [{ inputs: [{ ...input, name: undefined }] }, 400, /name/],
    'a wrong datatype': [{ inputs: [{ ...input, datatype: 'INT32' }] }, 400, /float32/],
    'an unknown datatype': [{ inputs: [{ ...input, datatype: 'FP31' }] }, 400, /FP31/],
    'a wrong shape': [{ inputs: [{ ...input, shape: [3, 1] }] }, 400, /shape \[3,1\]/],
    'a negative size': [
      { inputs: [{ ...input, shape: [-1, 3] }] },
      400,
      /not an integer of 0 or more/,
    ],
    'a shape that overflows': [{ inputs: [{ ...input, shape: [2 ** 40, 2 ** 40] }] }, 400, /./],
    'a tensor with too few elements': [{ inputs: [{ ...input, data: [1] }] }, 400, /1 element/],
    'a string among numbers': [{ inputs: [{ ...input, data: ['a', 'b', 'c'] }] }, 400, /./],
    'an unknown output': [{ ...iris, outputs: [{ name: 'z' }] }, 400, /no output 'z'/],
  };
  for (const [name, [body, wanted, message]] of Object.entries(cases)) {
    test(`${name} is refused with ${wanted}`, async () => {
      await using server = await inference(identity);
      const { status, json } = await server.post('/v2/models/f/infer', body);
      assert.equal(status, wanted, JSON.stringify(json));
      assert.match(json.error, message);
      assert.equal((await server.post('/v2/models/f/infer', iris)).status, 200);
    });
  }

  test('100,000 open lists are refused', async () => {
    await using server = await inference(identity);
    const deep = `{"inputs":${'['.repeat(100_000)}`;
    assert.equal((await server.post('/v2/models/f/infer', deep)).status, 400);
  });

  test('unknown models, versions, routes and methods are refused', async () => {
    await using server = await inference(identity);
    assert.equal((await server.post('/v2/models/no/infer', iris)).status, 404);
    assert.equal((await server.post('/v2/models/f/versions/9/infer', iris)).status, 404);
    assert.equal((await server.post('/v2/models/f/versions/1/infer', iris)).status, 200);
    assert.equal((await server.get('/v2/models/f/infer')).status, 405);
    assert.equal((await server.get('/v2/nothing')).status, 404);
    assert.equal((await server.post('/v2/models/%zz/infer', iris)).status, 404);
  });
});
