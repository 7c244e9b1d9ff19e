/** @module Tests that the prediction service refuses invalid requests with clear errors and continues to work. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { predictRequest } from '../../../services/prediction/schema.ts';
import { jsonOf, type Opened, openApp, predict, ROW } from '../support.ts';

interface Problem {
  readonly title: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status: number;
  readonly code: string;
  /** The expected message. */
  readonly says: RegExp;
  readonly allow?: string;
}

const invalid = { status: 400, code: 'INVALID_ARGUMENT' };
const notJson = { status: 400, code: 'INVALID_JSON' };
const good = JSON.stringify({ features: ROW });
const json = (body: unknown) => JSON.stringify(body);
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

const problems: readonly Problem[] = [
  { title: 'not JSON', body: '{"features": [1,', ...notJson, says: /not valid JSON/ },
  { title: 'an empty body', body: '', ...notJson, says: /empty/ },
  { title: 'a body of white space', body: ' \n', ...notJson, says: /empty/ },
  { title: 'NaN', body: '{"features": [NaN, 1, 1, 1]}', ...notJson, says: /not valid JSON/ },
  { title: 'Infinity', body: '{"features": [Infinity, 1, 1, 1]}', ...notJson, says: /JSON/ },
  {
    title: '100,000 nested lists',
    body: `{"features": ${nested(100_000)}}`,
    ...notJson,
    says: /deeper than 100/,
  },
  {
    title: '100,000 lists that are not closed',
    body: '['.repeat(100_000),
    ...notJson,
    says: /deeper than 100/,
  },
  {
    title: '100,000 nested objects',
    body: '{"a":'.repeat(100_000),
    ...notJson,
    says: /deeper than 100/,
  },
  {
    title: '100 levels below features',
    body: `{"features": ${nested(100)}}`,
    ...notJson,
    says: /deeper than 100/,
  },
  {
    title: 'features that are null',
    body: json({ features: null }),
    ...invalid,
    says: /features must be a list/,
  },
  {
    title: 'a list among the values of a row',
    body: json({ features: [[[1], 2, 3, 4]] }),
    ...invalid,
    says: /features\[0\]\[0\] .*got a list/,
  },
  {
    title: 'a version that is not a string',
    body: json({ features: ROW, model_version: 1 }),
    ...invalid,
    says: /model_version must be a string/,
  },
  {
    title: 'the field __proto__',
    body: '{"features":[1,2,3,4],"__proto__":{}}',
    ...invalid,
    says: /unknown field/,
  },
  {
    title: 'half a million features',
    body: json({ features: new Array(500_000).fill(1) }),
    ...invalid,
    says: /has 500000 values/,
  },
  { title: 'a list', body: json(ROW), ...invalid, says: /must be a JSON object/ },
  { title: 'null', body: 'null', ...invalid, says: /must be a JSON object/ },
  { title: 'a string', body: '"features"', ...invalid, says: /must be a JSON object/ },
  { title: 'no features', body: '{}', ...invalid, says: /features must be a list/ },
  {
    title: 'features that are a number',
    body: json({ features: 5 }),
    ...invalid,
    says: /features must be a list/,
  },
  {
    title: 'an unknown field',
    body: json({ features: ROW, modle: 'iris' }),
    ...invalid,
    says: /unknown field 'modle'/,
  },
  {
    title: 'a model that is not a string',
    body: json({ features: ROW, model: 1 }),
    ...invalid,
    says: /model must be a string/,
  },
  {
    title: '1e999',
    body: '{"features": [1e999, 1, 1, 1]}',
    ...invalid,
    says: /features\[0\] \(sepal_length_cm\) must be a finite number/,
  },
  {
    title: 'a number beyond the range of float32',
    body: json({ features: [1, 1, 1, 1e39] }),
    ...invalid,
    says: /features\[3\].*got 1e\+39/,
  },
  {
    title: 'a string among the values',
    body: json({ features: [1, 1, 'a', 1] }),
    ...invalid,
    says: /\[2\]/,
  },
  {
    title: 'null among the values',
    body: json({ features: [1, 1, 1, null] }),
    ...invalid,
    says: /null/,
  },
  {
    title: 'an empty list of features',
    body: json({ features: [] }),
    ...invalid,
    says: /0 values, expected 4/,
  },
  { title: 'an empty row', body: json({ features: [[]] }), ...invalid, says: /0 values/ },
  {
    title: 'too few values',
    body: json({ features: [1, 2, 3] }),
    ...invalid,
    says: /3 values, expected 4 \(sepal_length_cm, /,
  },
  { title: 'too many values', body: json({ features: [...ROW, 1] }), ...invalid, says: /5 values/ },
  {
    title: 'rows of different lengths',
    body: json({ features: [ROW, [1, 2]] }),
    ...invalid,
    says: /features\[1\] has 2 values/,
  },
  {
    title: 'a value among rows',
    body: json({ features: [ROW, 1] }),
    ...invalid,
    says: /features\[1\] must be a list/,
  },
  {
    title: 'a row that is nested too deeply',
    body: json({ features: [[ROW, ROW, ROW, ROW]] }),
    ...invalid,
    says: /got a list/,
  },
  {
    title: 'a million features',
    body: json({ features: new Array(1_000_000).fill(1) }),
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    says: /longer than 1048576 bytes/,
  },
  {
    title: 'a Content-Length beyond the limit',
    body: good,
    headers: { 'Content-Length': '1048577' },
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    says: /longer than/,
  },
  {
    title: 'an unknown model',
    body: json({ features: ROW, model: 'rose' }),
    status: 404,
    code: 'MODEL_NOT_FOUND',
    says: /'rose'; available: 'diabetes', .*'iris'/,
  },
  {
    title: 'the model __proto__',
    body: json({ features: ROW, model: '__proto__' }),
    status: 404,
    code: 'MODEL_NOT_FOUND',
    says: /'__proto__'/,
  },
  {
    title: 'an unknown version',
    body: json({ features: ROW, model_version: 'v9' }),
    status: 404,
    code: 'VERSION_NOT_FOUND',
    says: /no version 'v9'; available: 'v1.0', 'v2.0'/,
  },
  {
    title: 'the version constructor',
    body: json({ features: ROW, model_version: 'constructor' }),
    status: 404,
    code: 'VERSION_NOT_FOUND',
    says: /'constructor'/,
  },
  ...['GET', 'PUT', 'DELETE', 'PATCH'].map(
    (method): Problem => ({
      title: `${method} /predict`,
      method,
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      says: /use POST/,
      allow: 'POST',
    }),
  ),
  {
    title: 'POST /ready',
    path: '/ready',
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    says: /use GET/,
    allow: 'GET',
  },
  {
    title: 'an unknown route',
    path: '/predictions',
    status: 404,
    code: 'ROUTE_NOT_FOUND',
    says: /no such route/,
  },
  ...['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''].map(
    (type): Problem => ({
      title: `the content type "${type}"`,
      headers: { 'Content-Type': type },
      body: good,
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      says: /must be JSON/,
    }),
  ),
  ...['soon', '0', '-5', 'NaN', 'Infinity', ' '].map(
    (timeout): Problem => ({
      title: `the X-Request-Timeout-Ms "${timeout}"`,
      headers: { 'X-Request-Timeout-Ms': timeout },
      body: good,
      ...invalid,
      says: /X-Request-Timeout-Ms must be a number/,
    }),
  ),
];

let real: Opened;

before(async () => {
  real = await openApp(openEngine());
});
after(() => real.close());

function send({ method = 'POST', path = '/predict', headers, body }: Problem) {
  return real.app.request(path, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'known', ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

/** Checks that a message is one sentence without paths, addresses or stack frames. */
function assertNoInternals(message: string): void {
  assert.match(message, /^\S.*\.$/, 'one sentence');
  assert.doesNotMatch(message, /0x[0-9a-f]+|\.so\b|\.node\b|\.ts\b|file:|at \w+ \(/i);
  assert.doesNotMatch(message, /(?:^|\s|")\/(?!(?:docs|playground|ready)\b)/, 'no path');
}

for (const problem of problems) {
  test(`refuses ${problem.title} with ${problem.status}`, async () => {
    const response = await send(problem);
    const text = await response.text();
    assert.equal(response.status, problem.status, text);
    const body = JSON.parse(text) as Record<string, string>;
    assert.deepEqual(Object.keys(body), ['error', 'code', 'request_id']);
    assert.equal(body.code, problem.code);
    assert.match(body.error!, problem.says);
    assertNoInternals(body.error!);
    assert.equal(body.request_id, 'known');
    assert.equal(response.headers.get('x-request-id'), 'known');
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.equal(response.headers.get('allow'), problem.allow ?? null);
  });
}

test('accepts 100 levels of nesting, and does not count brackets in strings', async () => {
  const brackets = `${'['.repeat(500)}"${'{'.repeat(500)}`;
  const response = await predict(real.app, { features: ROW, model: brackets });
  assert.equal(response.status, 404);
  const deep = await predict(real.app, `{"features": ${nested(99)}}`);
  assert.equal(((await deep.json()) as { code: string }).code, 'INVALID_ARGUMENT');
});

test('still predicts after every invalid request', async () => {
  for (const problem of problems) await (await send(problem)).text();
  const { prediction } = await jsonOf(await predict(real.app, { features: ROW }));
  assert.equal(prediction, 'setosa');
});

test('accepts a body without the schema only if the schema accepts it too', async () => {
  const values = [ROW, 'x', 1, null, {}];
  for (const features of [...values, undefined])
    for (const model of ['iris', ...values, undefined]) {
      const body = JSON.parse(JSON.stringify({ features, model }));
      const { status } = await predict(real.app, body);
      assert.equal(
        status === 200,
        predictRequest.safeParse(body).success && features === ROW && model !== 'x',
        JSON.stringify(body),
      );
    }
});
