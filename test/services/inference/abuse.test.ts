/** @module Sends hostile bodies to the infer route: each gets a 200 or a 4xx, and the next valid request a 200. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Inference, inference } from './support.ts';

type Body = string | Uint8Array;

/** A body, the expected status and the expected error message. */
type Row = readonly [name: string, body: Body, status: number, message?: RegExp | undefined];

const models = {
  FP32: 'float32',
  FP16: 'float16',
  INT32: 'int32',
  INT64: 'int64',
  UINT64: 'uint64',
  BOOL: 'bool',
  BYTES: 'string',
} as const;
type Datatype = keyof typeof models;

const bytes = (text: string) => new TextEncoder().encode(text);

/** A request from strings, so that its parts may be invalid JSON. */
function request(parts: { datatype?: Datatype; shape?: string; data?: string; more?: string }) {
  const { datatype = 'FP32', shape = '[1,3]', data = '[1,2,3]', more = '' } = parts;
  return `{"inputs":[{"name":"x","datatype":"${datatype}","shape":${shape},"data":${data}}]${more}}`;
}

/** A server with a model for each datatype, with its name. */
const served = (settings = {}) =>
  inference(
    Object.fromEntries(
      Object.entries(models).map(([name, model]) => [`${name}/1/model.onnx`, `=identity-${model}`]),
    ),
    settings,
  );

async function assertServes(server: Inference): Promise<void> {
  const { status, json } = await server.post('/v2/models/FP32/infer', request({}));
  assert.equal(status, 200);
  assert.deepEqual(json.outputs[0].data, [1, 2, 3]);
}

async function check(
  server: Inference,
  model: string,
  [name, body, wanted, message]: Row,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await server.post(`/v2/models/${model}/infer`, body, headers);
  assert.equal(response.status, wanted, `${name}: ${response.text}`);
  if (response.status === 200) return;
  const { error } = response.json;
  assert.match(error, message ?? /./, name);
  assert.ok(error.length > 20 && error.length < 400, error);
  await assertServes(server);
}

/** Defines a test that sends all rows to one server. */
const table = (name: string, rows: readonly (readonly [Datatype, Row])[]) =>
  test(name, async () => {
    await using server = await served();
    for (const [model, row] of rows) await check(server, model, row);
  });

/** A request of three elements, of which `text` is the last. */
const element = (
  datatype: Datatype,
  text: string,
  status: number,
  message?: RegExp,
): readonly [Datatype, Row] => {
  const fill = datatype === 'BYTES' ? '"a","b"' : datatype === 'BOOL' ? 'true,false' : '1,2';
  const data = `[${fill},${text}]`;
  return [
    datatype,
    [`${datatype} ${text.slice(0, 20)}`, request({ datatype, data }), status, message],
  ];
};

describe('elements', () => {
  const number = /expected a number|expected ',' or '\]'/;
  table('in number formats that JSON does not have are refused', [
    ...['01', '+1', '1.', '.5', '-', '--1', '1e', '1e+', '0x10', '1_000', '00', '1 2', 'true'].map(
      (text) => element('FP32', text, 400, number),
    ),
    ...['nan', 'Nan', '-NaN', '+NaN', 'inf', 'infinity', '+Infinity', 'null', '"1"', '{}'].map(
      (text) => element('FP32', text, 400, number),
    ),
    ...['NaN', 'Infinity', '-Infinity', 'Inf', '-Inf', '-0', '1e5', '1e-999'].map((text) =>
      element('FP32', text, 200),
    ),
    element('FP32', `0.${'1'.repeat(5000)}`, 200),
  ]);

  const range = /out of the range/;
  const integer = /expected an integer/;
  table('beyond the range of the datatype are refused', [
    ...['1e999', '-1e999', '1e39', '9'.repeat(5000), `1${'0'.repeat(400)}`].map((text) =>
      element('FP32', text, 400, range),
    ),
    element('FP16', '1e6', 400, range),
    ...['2147483648', '-2147483649', '9'.repeat(400)].map((text) =>
      element('INT32', text, 400, range),
    ),
    ...['1.0', '1.5', '1e2', 'NaN'].map((text) => element('INT32', text, 400, integer)),
    element('INT32', '-0', 200),
    element('INT64', '9223372036854775807', 200),
    element('INT64', '9223372036854775808', 400, range),
    element('INT64', '1e400', 400, integer),
    element('UINT64', '18446744073709551615', 200),
    element('UINT64', '18446744073709551616', 400, range),
    element('UINT64', '-1', 400),
    ...['1', '0', 'null', '"true"', 'TRUE'].map((text) =>
      element('BOOL', text, 400, /expected true or false/),
    ),
  ]);

  table('that are invalid strings are refused', [
    element('BYTES', '"\\x41"', 400, /unknown escape/),
    element('BYTES', '"\\u12"', 400, /four hexadecimal digits/),
    element('BYTES', '"\\"', 400, /the end of a string/),
    element('BYTES', '"a\nb"', 400, /control character/),
    element('BYTES', '"\0"', 400, /control character/),
    element('BYTES', '1', 400, /expected a string/),
    element('BYTES', 'null', 400, /expected a string/),
    element('BYTES', '"a\\u0000b"', 200),
    element('BYTES', '"\\ud83d\\ude00"', 200),
    // A lone surrogate is replaced, as by JSON.parse and TextEncoder.
    element('BYTES', '"\\ud800"', 200),
  ]);

  test('that are not UTF-8 are refused', async () => {
    await using server = await served();
    const [start, end] = request({ datatype: 'BYTES', data: '["","","?"]' }).split('?');
    for (const wrong of [
      [0xff],
      [0xc0, 0x80],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
    ]) {
      const body = Uint8Array.of(...bytes(start!), ...wrong, ...bytes(end!));
      await check(server, 'BYTES', [String(wrong), body, 400, /not UTF-8/]);
    }
    const id = Uint8Array.of(...bytes('{"id":"'), 0xff, ...bytes(`",${request({}).slice(1)}`));
    await check(server, 'FP32', ['in the id', id, 400, /not UTF-8/]);
  });
});

describe('shapes', () => {
  const overflows = /number of elements overflows/;
  const noSize = /not an integer of 0 or more/;
  const rows: readonly (readonly [string, RegExp?])[] = [
    ['[4294967296,4294967296]', overflows],
    ['[9223372036854775807,2]', overflows],
    ['[3037000500,3037000500]', overflows],
    ['[72057594037927937]', overflows],
    ['[72057594037927936]', /has fewer elements/],
    ['[2147483648,3]', /has fewer elements/],
    ['[9223372036854775808]', noSize],
    ['[18446744073709551616,3]', noSize],
    ['[0,9223372036854775807]'],
    ['[2147483648,0]'],
    ['[-1,3]', noSize],
    ['[1.5,3]', noSize],
    ['[1e0,3]', noSize],
    ['["1",3]', noSize],
    ['[[1],3]', noSize],
    ['[]'],
    ['[3]', /shape \[3\], but the model expects/],
    ['[1,3,1]', /shape \[1,3,1\], but the model expects/],
    [`[${'1,'.repeat(16)}3]`, /more than 16 elements/],
    [`[${'1,'.repeat(100_000)}3]`, /more than 16 elements/],
    ['null', /not an array/],
    ['3', /not an array/],
  ];
  table(
    'that are invalid are refused',
    rows.map(([shape, message]) => [
      'FP32',
      [shape.slice(0, 40), request({ shape }), 400, message],
    ]),
  );
});

describe('JSON', () => {
  const nested = (open: string, close: string, levels: number) =>
    `,"u":${open.repeat(levels)}1${close.repeat(levels)}`;
  const deep = /more than 100 levels/;
  table('may have 100 levels of nesting, and more are refused', [
    ['FP32', ['lists', request({ more: nested('[', ']', 100) }), 200]],
    ['FP32', ['objects', request({ more: nested('{"a":', '}', 100) }), 200]],
    ['FP32', ['data', request({ data: `${'['.repeat(100)}1,2,3${']'.repeat(100)}` }), 200]],
    ['FP32', ['lists, deeper', request({ more: nested('[', ']', 101) }), 400, deep]],
    [
      'FP32',
      ['data, deeper', request({ data: `${'['.repeat(101)}1,2,3${']'.repeat(101)}` }), 400, deep],
    ],
    ...[1000, 100_000].flatMap((levels): readonly (readonly [Datatype, Row])[] => [
      ['FP32', [`${levels} lists`, request({ more: nested('[', ']', levels) }), 400, deep]],
      ['FP32', [`${levels} objects`, request({ more: nested('{"a":', '}', levels) }), 400, deep]],
      ['FP32', [`${levels} open objects`, '{"a":'.repeat(levels), 400, deep]],
      ['FP32', [`${levels} lists of data`, request({ data: '['.repeat(levels) }), 400, deep]],
    ]),
  ]);

  table('with a member that occurs twice is refused', [
    ['FP32', ['inputs', request({ more: ',"inputs":[]' }), 400, /'inputs' twice/]],
    ['FP32', ['id', request({ more: ',"id":"a","id":"b"' }), 400, /'id' twice/]],
    ['FP32', ['data', request({ data: '[1,2,3],"data":[4,5,6]' }), 400, /'data' twice/]],
    ['FP32', ['name', request({ data: '[1,2,3],"name":"y"' }), 400, /'name' twice/]],
    ['FP32', ['parameter', request({ more: ',"parameters":{"a":1,"a":2}' }), 400, /'a' twice/]],
  ]);

  table('with anything before or after it is refused', [
    ['FP32', ['a byte order mark', `\ufeff${request({})}`, 400, /JSON object/]],
    ['FP32', ['a character', `${request({})}x`, 400, /end of the text/]],
    ['FP32', ['a zero', `${request({})}\0`, 400, /end of the text/]],
    ['FP32', ['another request', `${request({})}{}`, 400, /end of the text/]],
    ['FP32', ['blanks alone', ' \n\t', 400]],
  ]);

  const parameter = (value: string, name = 'custom') =>
    request({ more: `,"parameters":{"${name}":${value}}` });
  const many = Array.from({ length: 300 }, (_, i) => `"p${i}":1`).join();
  table('may have parameters of any name that are strings, numbers or booleans', [
    ...['"x"', '1', '-1.5', 'true', '18446744073709551615', '99999999999999999999'].map(
      (value): readonly [Datatype, Row] => ['FP32', [value, parameter(value), 200]],
    ),
    ...['null', '{}', '[]', '{"a":1}'].map((value): readonly [Datatype, Row] => [
      'FP32',
      [value, parameter(value), 400, /not a string, number or boolean/],
    ]),
    ['FP32', ['1e400', parameter('1e400'), 400, /too large/]],
    ['FP32', ['__proto__', parameter('1', '__proto__'), 200]],
    ['FP32', ['constructor', parameter('1', 'constructor'), 200]],
    ['FP32', ['a list', request({ more: ',"parameters":[]' }), 400, /not an object/]],
    ['FP32', ['300 of them', request({ more: `,"parameters":{${many}}` }), 400, /more than 256/]],
    ...['-1', '1.5', '"1"', 'true', 'null', '257', '1e3', '18446744073709551615'].map(
      (value): readonly [Datatype, Row] => [
        'FP32',
        [value, parameter(value, 'priority'), 400, /priority/],
      ],
    ),
    ...['0', '1', '256'].map((value): readonly [Datatype, Row] => [
      'FP32',
      [value, parameter(value, 'priority'), 200],
    ]),
    ...['-1', '1.5', '"1"', 'true', '1e400'].map((value): readonly [Datatype, Row] => [
      'FP32',
      [value, parameter(value, 'timeout'), 400, /timeout/],
    ]),
    ...['0', '60000000', '18446744073709551615'].map((value): readonly [Datatype, Row] => [
      'FP32',
      [value, parameter(value, 'timeout'), 200],
    ]),
    ...['1', 'true', '["a"]', '{}'].map((value): readonly [Datatype, Row] => [
      'FP32',
      [`id ${value}`, request({ more: `,"id":${value}` }), 400, /'id' that is not a string/],
    ]),
  ]);
});

describe('wrong lengths', () => {
  const floats = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  const binary = (size: string, datatype: Datatype, blob: Uint8Array) => {
    const parameters = `{"binary_data_size":${size}}`;
    const head = bytes(
      `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,3],"parameters":${parameters}}]}`,
    );
    return { body: Uint8Array.of(...head, ...blob), length: String(head.length) };
  };

  test('of binary_data_size are refused', async () => {
    await using server = await served();
    for (const [size, status, message] of [
      ['12', 200],
      ['8', 400, /8 bytes of binary data/],
      ['0', 400, /0 bytes of binary data/],
      ['13', 400, /only 12 bytes are left/],
      ['4294967308', 400, /only 12 bytes are left/],
      ['9223372036854775807', 400, /only 12 bytes are left/],
      ...['-1', '-12', '12.0', '12.5', '1.2e1', '"12"', 'true', '9223372036854775808'].map(
        (size) => [size, 400, /not an integer of 0 or more/] as const,
      ),
      ['null', 400, /not a string, number or boolean/],
      ['1e400', 400, /too large/],
    ] as const) {
      const { body, length } = binary(size, 'FP32', floats);
      const headers = { 'Inference-Header-Content-Length': length };
      await check(server, 'FP32', [`binary_data_size ${size}`, body, status, message], headers);
    }
  });

  test('of Inference-Header-Content-Length are refused', async () => {
    await using server = await served();
    const { body } = binary('12', 'FP32', floats);
    const expected = /expected a whole number from 0 to/;
    for (const [length, message] of [
      ['5', /the text ends at byte 5/],
      [String(body.length), /only 0 bytes are left/],
      ['0', /The body has \d+ bytes/],
      ...['100000', '-1', '-0', 'x', '1.5', '+5', '0x10', '', '1e2', 'NaN', '5,5'].map(
        (length) => [length, expected] as const,
      ),
      ['99999999999999999999', expected],
    ] as const) {
      const headers = { 'Inference-Header-Content-Length': length };
      await check(server, 'FP32', [`header of ${length}`, body, 400, message], headers);
    }
  });

  test('of BYTES elements are refused', async () => {
    await using server = await served();
    const empty = [0, 0, 0, 0];
    for (const [name, blob, status] of [
      ['a zero within', [...empty, ...empty, 3, 0, 0, 0, 97, 0, 98], 200],
      ['past the end', [...empty, ...empty, 9, 0, 0, 0, 97], 400],
      ['as long as can be', [255, 255, 255, 255, ...empty, ...empty], 400],
      ['cut short', [...empty, ...empty, 1, 0], 400],
      ['one too few', [...empty, ...empty], 400],
      ['one too many', [...empty, ...empty, ...empty, ...empty], 400],
      ['not UTF-8', [...empty, ...empty, 1, 0, 0, 0, 255], 400],
    ] as const) {
      const { body, length } = binary(String(blob.length), 'BYTES', Uint8Array.from(blob));
      const headers = { 'Inference-Header-Content-Length': length };
      await check(server, 'BYTES', [name, body, status], headers);
    }
  });
});

test('names of codings are case-insensitive, and data after the end is refused', async () => {
  await using server = await served();
  const packed = Uint8Array.from(gzipSync(request({})));
  for (const [name, body, status, coding] of [
    ['in capitals', packed, 200, 'GZIP'],
    ['twice', packed, 415, 'gzip, gzip'],
    ['cut short', packed.slice(0, -3), 400, 'gzip'],
    ['with something after it', Uint8Array.of(...packed, 1, 2, 3), 400, 'gzip'],
    ['under another name', packed, 400, 'deflate'],
  ] as const) {
    await check(server, 'FP32', [name, body, status], { 'Content-Encoding': coding });
  }
});

test('20,000 inputs are refused', async () => {
  await using server = await served();
  const inputs = Array.from({ length: 20_000 }, (_, i) => ({
    ...{ name: `x${i}`, datatype: 'FP32', shape: [1] },
    data: [1],
  }));
  await check(server, 'FP32', ['20,000', JSON.stringify({ inputs }), 400, /more than 256/]);
});
