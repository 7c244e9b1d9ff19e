/** @module Tests that `/predict`, `generate` and the infer route in JSON accept the same numbers and return them unchanged. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { datatypes, type ElementType } from '../../../runtime/index.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { type Inference, inference } from '../inference/support.ts';

/** For each type: JSON values that it can represent, and others that it cannot. */
const cases: Readonly<Record<ElementType, { good: readonly string[]; bad: readonly string[] }>> = {
  uint8: { good: ['0', '255'], bad: ['300', '-1', '1.5', 'true', '"1"', 'null'] },
  int8: { good: ['-128', '127'], bad: ['128', '-129', '0.5'] },
  uint16: { good: ['0', '65535'], bad: ['65536', '-1'] },
  int16: { good: ['-32768', '32767'], bad: ['32768', '-32769'] },
  uint32: { good: ['0', '4294967295'], bad: ['4294967296', '-1'] },
  int32: {
    good: ['-2147483648', '2147483647'],
    bad: ['3000000000', '2147483648', '-2147483649', '1e400', '99999999999999999999'],
  },
  int64: {
    good: ['-9223372036854775808', '9223372036854775807', '9007199254740993', '-9007199254740993'],
    bad: ['9223372036854775808', '-9223372036854775809', '1.5', '"1"', 'null', '1e400'],
  },
  uint64: {
    good: ['0', '18446744073709551615', '9007199254740993'],
    bad: ['18446744073709551616', '-1', '1.5', 'false'],
  },
  float32: {
    good: ['1.5', '-0.25', '16777216'],
    bad: ['1e40', '-1e40', '3.5e38', '1e400', 'true', '"1"', 'null', '{}'],
  },
  float64: {
    good: ['0.1', '1.7976931348623157e+308', '5e-324'],
    bad: ['1e400', '-1e400', 'null', '"1"'],
  },
  float16: { good: ['1.5', '-65504', '0.5'], bad: ['65520', '1e40', 'null', '"1"'] },
  bfloat16: { good: ['1.5', '-0.25'], bad: ['3.4e38', '1e40', 'true'] },
  bool: { good: ['true', 'false'], bad: ['1', '0', '"true"', 'null'] },
  string: { good: ['"a"', '"ä"', '""', '"9007199254740993"'], bad: ['1', 'true', 'null'] },
};
const types = Object.keys(cases) as ElementType[];

let server: Inference;
before(async () => {
  const models = types.map((type) => [`${type}/1/model.onnx`, `=identity-${type}`]);
  server = await inference(Object.fromEntries(models), {}, { service: prediction });
});
after(() => server[Symbol.asyncDispose]());

/** Bodies with a Content-Length, without one, and long bodies are read in different ways. */
function forms(
  body: string,
): readonly (readonly [body: string, headers: Record<string, string>])[] {
  const json = { 'Content-Type': 'application/json' };
  const announced = (text: string) => ({ ...json, 'Content-Length': `${Buffer.byteLength(text)}` });
  const long = `${' '.repeat(300)}${body}`;
  return [
    [body, json],
    [body, announced(body)],
    [long, announced(long)],
  ];
}

/** The elements that each route returns for a row of three such values, as JSON; undefined for a 400. */
async function ask(type: ElementType, value: string): Promise<(string | undefined)[]> {
  const row = `[${value},${value},${value}]`;
  const input = `{"name":"x","datatype":"${datatypes[type]}","shape":[1,3],"data":${row}}`;
  const routes = [
    ['/predict', `{"model":"${type}","features":${row}}`, /"prediction":(\[.*?\]),/],
    [`/v2/models/${type}/generate`, `{"x":${row}}`, /"y":(\[.*?\])\}/],
    [`/v2/models/${type}/infer`, `{"inputs":[${input}]}`, /"data":\s*(\[.*?\])\}/],
  ] as const;
  const results: (string | undefined)[] = [];
  for (const [route, body, elements] of routes) {
    for (const [form, headers] of forms(body)) {
      const { status, text } = await server.post(route, form, headers);
      assert.ok(status === 200 || status === 400, `${route} ${body}: ${status} ${text}`);
      if (status === 400) assert.match(text, /"(?:error|message)":/);
      results.push(status === 200 ? elements.exec(text)?.[1]?.replaceAll(' ', '') : undefined);
    }
  }
  return results;
}

describe('numbers in JSON', () => {
  for (const type of types) {
    for (const value of cases[type].good) {
      test(`${type} accepts ${value} and returns it unchanged`, async () => {
        const results = await ask(type, value);
        assert.equal(results.length, 9);
        for (const result of results) {
          const numbers = String(result).replaceAll('e+', 'e');
          assert.equal(numbers, `[${value},${value},${value}]`.replaceAll('e+', 'e'));
        }
      });
    }
    for (const value of cases[type].bad) {
      test(`${type} refuses ${value}`, async () => {
        assert.deepEqual(await ask(type, value), Array(9).fill(undefined));
      });
    }
  }

  test('the largest float32 is accepted in its usual decimal form', async () => {
    const results = await ask('float32', '3.4028235e38');
    assert.deepEqual(
      results.map((result) => Math.fround(JSON.parse(String(result))[0])),
      Array(9).fill(3.4028234663852886e38),
    );
  });

  test('the message about an invalid value has the value and the valid range', async () => {
    const { status, json } = await server.post('/v2/models/uint8/generate', { x: [255, 256, 1] });
    assert.equal(status, 400);
    assert.equal(json.error, 'x must be an integer from 0 to 255 (uint8), got 256.');
  });

  test('nested lists are read in row-major order if their shape fits the model', async () => {
    const generate = (x: unknown) => server.post('/v2/models/int32/generate', { x });
    const rows = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    assert.deepEqual((await generate(rows)).json.y, [1, 2, 3, 4, 5, 6]);
    assert.deepEqual((await generate([[1, 2, 3]])).json.y, [1, 2, 3]);
    assert.deepEqual((await generate([1, 2, 3])).json.y, [1, 2, 3]);
    for (const [wrong, message] of [
      [[[1, 2, 3], [4]], /different sizes/],
      [[1, [2, 3]], /different sizes/],
      [[[1, 2]], /x has the shape \[1,2\], but the model takes \[-1,3\]/],
      [[[[1, 2, 3]]], /x has the shape \[1,1,3\]/],
      [[1, 2, 3, 4, 5, 6], /x has 6 values/],
      [[], /x has 0 values/],
    ] as const) {
      const { status, json } = await generate(wrong);
      assert.equal(status, 400);
      assert.match(json.error, message);
    }
  });

  test('scores of the classification extension are exact for 64-bit integers', async () => {
    const data = '[9007199254740993,9223372036854775807,-9223372036854775808]';
    const body = `{"inputs":[{"name":"x","datatype":"INT64","shape":[1,3],"data":${data}}],
      "outputs":[{"name":"y","parameters":{"classification":2}}]}`;
    const { json } = await server.post('/v2/models/int64/infer', body);
    assert.deepEqual(json.outputs[0].data, ['9223372036854775807:1', '9007199254740993:0']);
  });

  test('the classification extension ranks NaN last', async () => {
    const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[NaN,-1,2]}],
      "outputs":[{"name":"y","parameters":{"classification":3}}]}`;
    const { json } = await server.post('/v2/models/float32/infer', body);
    assert.deepEqual(json.outputs[0].data, ['2.000000:2', '-1.000000:1', 'NaN:0']);
  });
});
