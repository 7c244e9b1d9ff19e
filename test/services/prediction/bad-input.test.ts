import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predictRequest } from '../../../services/prediction/schema.ts';
import { assertErrorResponse } from '../../support/error-response.ts';
import { testService } from '../../support/service.ts';

const row = [1, 2, 3, 4];

const refused: readonly [
  name: string,
  body: unknown,
  status: number,
  code: string,
  message: RegExp,
][] = [
  ['no JSON', 'features=1', 400, 'INVALID_JSON', /not valid JSON/],
  ['half a JSON', '{"features":[1,2', 400, 'INVALID_JSON', /not valid JSON/],
  ['an empty body', '', 400, 'INVALID_JSON', /body is empty/],
  ['blanks', '  \n', 400, 'INVALID_JSON', /body is empty/],
  ['NaN', '{"features":[NaN,1,1,1]}', 400, 'INVALID_JSON', /not valid JSON/],
  ['Infinity', '{"features":[Infinity,1,1,1]}', 400, 'INVALID_JSON', /not valid JSON/],
  [
    '1e999',
    '{"features":[1,1e999,1,1]}',
    400,
    'INVALID_ARGUMENT',
    /^features\[1\] must be a finite number/,
  ],
  [
    'past float32',
    '{"features":[1,1e39,1,1]}',
    400,
    'INVALID_ARGUMENT',
    /^features\[1\] .*got 1e\+39/,
  ],
  ['a list', '[]', 400, 'INVALID_ARGUMENT', /^The body must be a JSON object/],
  ['null', 'null', 400, 'INVALID_ARGUMENT', /^The body must be a JSON object/],
  ['a number', '1', 400, 'INVALID_ARGUMENT', /^The body must be a JSON object/],
  ['no features', {}, 400, 'INVALID_ARGUMENT', /^features must be a list/],
  [
    'features that are no list',
    { features: 'x' },
    400,
    'INVALID_ARGUMENT',
    /^features must be a list/,
  ],
  [
    'features that are null',
    { features: null },
    400,
    'INVALID_ARGUMENT',
    /^features must be a list/,
  ],
  ['no values', { features: [] }, 400, 'INVALID_ARGUMENT', /^features has 0 values, expected 4/],
  [
    'too few values',
    { features: [1] },
    400,
    'INVALID_ARGUMENT',
    /^features has 1 value, expected 4/,
  ],
  ['too many values', { features: [...row, 5] }, 400, 'INVALID_ARGUMENT', /^features has 5 values/],
  ['an empty row', { features: [[]] }, 400, 'INVALID_ARGUMENT', /^features\[0\] has 0 values/],
  ['a short row', { features: [row, [1]] }, 400, 'INVALID_ARGUMENT', /^features\[1\] has 1 value/],
  [
    'a value among rows',
    { features: [row, 1] },
    400,
    'INVALID_ARGUMENT',
    /^features\[1\] must be a list/,
  ],
  [
    'a text value',
    { features: [1, '2', 3, 4] },
    400,
    'INVALID_ARGUMENT',
    /^features\[1\] .*got a string/,
  ],
  [
    'a null value',
    { features: [1, null, 3, 4] },
    400,
    'INVALID_ARGUMENT',
    /^features\[1\] .*got null/,
  ],
  [
    'a deep value',
    { features: [[[1], 2, 3, 4]] },
    400,
    'INVALID_ARGUMENT',
    /^features\[0\]\[0\] .*got a list/,
  ],
  [
    'an unknown field',
    { features: row, version: '1' },
    400,
    'INVALID_ARGUMENT',
    /unknown field 'version'/,
  ],
  [
    'a version that is no text',
    { features: row, model_version: 1 },
    400,
    'INVALID_ARGUMENT',
    /^model_version must be a string/,
  ],
  ['__proto__', '{"features":[1,2,3,4],"__proto__":{}}', 400, 'INVALID_ARGUMENT', /unknown field/],
  [
    'an unknown version',
    { features: row, model_version: 'v9' },
    404,
    'VERSION_NOT_FOUND',
    /'v9'; available: 'v1.0', 'v2.0'/,
  ],
  [
    'an unknown model',
    { features: row, model: 'x' },
    404,
    'MODEL_NOT_FOUND',
    /'x'; available: 'iris'/,
  ],
  [
    '100,000 lists in each other',
    '['.repeat(1e5) + ']'.repeat(1e5),
    400,
    'INVALID_JSON',
    /deeper than 100/,
  ],
  [
    '100,000 open lists',
    '{"features":'.concat('['.repeat(1e5)),
    400,
    'INVALID_JSON',
    /deeper than 100/,
  ],
  ['100,000 objects in each other', '{"a":'.repeat(1e5), 400, 'INVALID_JSON', /deeper than 100/],
  [
    'a million features',
    { features: Array(1e6).fill(1) },
    413,
    'PAYLOAD_TOO_LARGE',
    /longer than 1048576 bytes/,
  ],
  [
    'half a million features',
    { features: Array(5e5).fill(1) },
    400,
    'INVALID_ARGUMENT',
    /has 500000 values/,
  ],
];

describe('bad input', () => {
  for (const [name, body, status, code, message] of refused) {
    test(`${name}: ${status} ${code}`, async () => {
      using service = await testService();
      assert.match(await assertErrorResponse(await service.predict(body), status, code), message);
      assert.equal(service.runtime.admission.inFlight, 0);
      assert.equal((await service.predict({ features: row })).status, 200, 'it still answers');
    });
  }

  test('brackets in a text are no nesting', async () => {
    using service = await testService();
    const text = `${'['.repeat(500)}\\"${'{'.repeat(500)}`;
    const response = await service.predict(`{"features":[1,2,3,4],"model":"${text}"}`);
    await assertErrorResponse(response, 404, 'MODEL_NOT_FOUND');
  });

  test('a hundred levels are not too deep', async () => {
    using service = await testService();
    const nested = (levels: number) =>
      `{"features":${'['.repeat(levels)}${']'.repeat(levels)}, "model":"${' '.repeat(200)}"}`;
    await assertErrorResponse(await service.predict(nested(99)), 404, 'MODEL_NOT_FOUND');
    await assertErrorResponse(await service.predict(nested(100)), 400, 'INVALID_JSON');
  });

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '']) {
    test(`the content type "${type}": 415`, async () => {
      using service = await testService();
      const response = await service.predict('{}', { 'Content-Type': type });
      const message = await assertErrorResponse(response, 415, 'UNSUPPORTED_MEDIA_TYPE');
      assert.match(message, /Content-Type: application.json/);
    });
  }

  test('the quick check of a body takes nothing that the schema refuses', async () => {
    using service = await testService();
    const values = [row, 'x', 1, null, {}];
    for (const features of [...values, undefined])
      for (const model of ['iris', ...values, undefined]) {
        const body = JSON.parse(JSON.stringify({ features, model }));
        const { status } = await service.predict(body);
        assert.equal(
          status === 200,
          predictRequest.safeParse(body).success && features === row && model !== 'x',
          JSON.stringify(body),
        );
      }
  });
});
