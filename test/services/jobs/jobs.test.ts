import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ended, INPUTS, openJobs, PREDICT, submit } from './support.ts';

const gateway = await openJobs();
after(() => gateway[Symbol.asyncDispose]());
const { send } = gateway;

test('a job is taken, runs and has the response of the route as its result', async () => {
  const made = await send('POST', '/jobs', PREDICT);
  assert.equal(made.status, 202);
  assert.deepEqual(Object.keys(made.body), ['job_id', 'status']);
  assert.equal(made.body.status, 'queued');
  assert.equal(made.headers.get('location'), `/jobs/${made.body.job_id}`);
  const job = await ended(gateway, made.body.job_id);
  const { result, created_at, started_at, finished_at, ...rest } = job;
  assert.deepEqual(rest, {
    job_id: made.body.job_id,
    status: 'succeeded',
    service: 'prediction',
    path: '/predict',
    attempts: 1,
    max_attempts: 3,
    progress: 1,
  });
  for (const time of [created_at, started_at, finished_at]) {
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  const direct = await send('POST', '/predict', PREDICT.body);
  assert.deepEqual(result.predictions, direct.body.predictions);
  assert.equal(result.predictions.length, 2);
});

test('a job may ask the V2 protocol, of a version too', async () => {
  for (const path of ['/v2/models/iris/infer', '/v2/models/iris/versions/v1.0/infer']) {
    const id = await submit(gateway, { service: 'inference', path, body: { inputs: INPUTS } });
    const { status, result, error } = await ended(gateway, id);
    assert.deepEqual([status, error], ['succeeded', undefined]);
    assert.equal(result.model_name, 'iris');
  }
});

test('a body reaches the route as it was written', async () => {
  const text = `{"service": "prediction", "body": {"features": [1.0], "model": "none \\u00e9"},
    "path": "/predict"}`;
  const { body } = await send('POST', '/jobs', text, { 'Content-Type': 'application/json' });
  const [row] = await gateway.store.query<{ error: string }>(
    'select answer as error from jobs where id = $1',
    [(await ended(gateway, body.job_id)).job_id],
  );
  assert.match(row!.error, /no model 'none é'/);
});

test('a mistake in the body is the error of the job', async () => {
  const id = await submit(gateway, { ...PREDICT, body: { features: 'x' } });
  const { status, attempts, error, code, progress } = await ended(gateway, id);
  assert.deepEqual([status, attempts, code, progress], ['failed', 1, 'INVALID_ARGUMENT', 1]);
  assert.match(error, /^features must be/);
});

test('a response that is not JSON cannot be a result', async () => {
  const path = '/v2/models/iris/infer';
  const body = { inputs: INPUTS, parameters: { binary_data_output: true } };
  const id = await submit(gateway, { service: 'inference', path, body });
  const { status, error } = await ended(gateway, id);
  assert.equal(status, 'failed');
  assert.match(error, /not JSON/);
});

test('a job whose response would be a stream is refused when it is submitted', async () => {
  const summary = { text: 'The bridge was built in 1931.', stream: true };
  for (const [service, path, body] of [
    ['nlp', '/summarize', summary],
    ['inference', '/v2/models/iris/generate_stream', { text_input: 'a' }],
    ['inference', '/v2/models/iris/versions/v1.0/generate_stream', { text_input: 'a' }],
  ] as const) {
    const { status, body: refusal } = await send('POST', '/jobs', { service, path, body });
    assert.deepEqual([status, refusal.code], [400, 'INVALID_ARGUMENT'], path);
    assert.match(refusal.error, /a stream of events, but the result of a job is JSON; leave out/);
  }
  const whole = { service: 'nlp', path: '/summarize', body: { ...summary, stream: false } };
  assert.equal((await send('POST', '/jobs', whole)).status, 202);
});

test('the same key and body make the same job', async () => {
  const headers = { 'Idempotency-Key': 'one' };
  const first = await send('POST', '/jobs', PREDICT, headers);
  await ended(gateway, first.body.job_id);
  const again = await send('POST', '/jobs', PREDICT, headers);
  assert.deepEqual([first.status, again.status], [202, 200]);
  assert.deepEqual(again.body, { job_id: first.body.job_id, status: 'succeeded' });
  const other = await send('POST', '/jobs', { ...PREDICT, max_attempts: 4 }, headers);
  assert.deepEqual([other.status, other.body.code], [409, 'CONFLICT']);
});

test('jobs are listed, the newest first', async () => {
  const [first, second] = [await submit(gateway), await submit(gateway)];
  await Promise.all([ended(gateway, first), ended(gateway, second)]);
  const page = await send('GET', '/jobs?limit=1&status=succeeded');
  assert.deepEqual(
    page.body.items.map(({ job_id }: { job_id: string }) => job_id),
    [second],
  );
  const next = await send('GET', `/jobs?limit=1&status=succeeded&cursor=${page.body.next}`);
  assert.equal(next.body.items[0].job_id, first);
  assert.equal(next.body.items[0].result, undefined);
  const refused = await submit(gateway, { ...PREDICT, body: { features: 'x' } });
  const failed = await ended(gateway, refused);
  assert.match(failed.error, /^features must be/);
  assert.deepEqual((await send('GET', '/jobs?limit=1')).body.items, [failed]);
  const empty = await send('GET', '/jobs?status=expired');
  assert.deepEqual(empty.body, { items: [], next: null });
});

const mistakes: readonly (readonly [string, unknown, number, RegExp])[] = [
  ['no body', '', 400, /empty/],
  ['not JSON', '{', 400, /not valid JSON/],
  ['a list', [], 400, /must be an object/],
  [
    'no service',
    { ...PREDICT, service: undefined },
    400,
    /service must be a string but is missing/,
  ],
  [
    'an unknown service',
    { ...PREDICT, service: 'speech' },
    400,
    /service must be one of prediction, nlp, vision, inference/,
  ],
  ['the gateway', { ...PREDICT, service: 'gateway' }, 400, /service must be one of/],
  [
    'a service that is no text',
    { ...PREDICT, service: 1 },
    400,
    /service must be a string but is 1/,
  ],
  ['no path', { ...PREDICT, path: undefined }, 400, /path must be a string/],
  [
    'a route of the platform',
    { ...PREDICT, path: '/admin/models' },
    400,
    /infer route of the service: \/predict/,
  ],
  ['jobs themselves', { ...PREDICT, path: '/jobs' }, 400, /infer route/],
  ['a route that is no infer route', { ...PREDICT, path: '/ready' }, 400, /infer route/],
  ['a load', { ...PREDICT, path: '/v2/repository/models/iris/load' }, 400, /infer route/],
  ['the way up', { ...PREDICT, path: '/v2/models/../models/iris/infer' }, 400, /infer route/],
  ['an escaped way up', { ...PREDICT, path: '/v2/models/%2e%2e/infer' }, 400, /infer route/],
  ['a query', { ...PREDICT, path: '/predict?a=b' }, 400, /infer route/],
  ['a slash too many', { ...PREDICT, path: '/predict/' }, 400, /infer route/],
  ['a whole URL', { ...PREDICT, path: 'http://localhost/predict' }, 400, /infer route/],
  ['an authority', { ...PREDICT, path: '//evil.example/predict' }, 400, /infer route/],
  ['no body of the request', { ...PREDICT, body: undefined }, 400, /body must be an object/],
  ['a body that is no object', { ...PREDICT, body: [1] }, 400, /body must be an object/],
  ['an unknown member', { ...PREDICT, webhok: 'x' }, 400, /unknown key.*write 'webhook'/],
  [
    'a webhook without TLS',
    { ...PREDICT, webhook: 'http://example.com' },
    400,
    /must start with https/,
  ],
  ['a local webhook', { ...PREDICT, webhook: 'https://127.0.0.1/' }, 400, /host of the internet/],
  ['no attempts', { ...PREDICT, max_attempts: 0 }, 400, /max_attempts must be at least 1/],
  ['too many attempts', { ...PREDICT, max_attempts: 101 }, 400, /at most 100/],
  ['half a second', { ...PREDICT, ttl_seconds: 0.5 }, 400, /ttl_seconds must be a whole number/],
];

for (const [what, body, status, message] of mistakes) {
  test(`a job with ${what} is refused`, async () => {
    const before = await gateway.store.query('select count(*) from jobs');
    const headers = { 'Content-Type': 'application/json' };
    const reply = await send('POST', '/jobs', body, headers);
    assert.deepEqual(
      [reply.status, Object.keys(reply.body)],
      [status, ['error', 'code', 'request_id']],
    );
    assert.match(reply.body.error, message);
    assert.deepEqual(await gateway.store.query('select count(*) from jobs'), before);
  });
}

test('mistakes in headers and in the method are refused', async () => {
  const text = JSON.stringify(PREDICT);
  const post = (headers: Record<string, string>) =>
    send('POST', '/jobs', text, { 'Content-Type': 'application/json', ...headers });
  assert.equal((await post({ 'Content-Type': 'text/plain' })).status, 415);
  assert.equal((await post({ 'Idempotency-Key': 'a b' })).status, 400);
  assert.equal((await post({ 'Idempotency-Key': 'x'.repeat(256) })).status, 400);
  assert.equal((await post({ 'Sec-Fetch-Site': 'cross-site' })).status, 403);
  assert.equal((await send('PUT', '/jobs', PREDICT)).status, 405);
  assert.equal((await send('POST', '/jobs/x', PREDICT)).status, 405);
});

for (const query of [
  ...['limit=0', 'limit=501', 'limit=x', 'limit=1.5', 'limit=-1', 'cursor=x', 'cursor=WyJhIl0'],
  ...['status=done', 'status=receiving', 'status='],
]) {
  test(`a list with ?${query} is refused`, async () => {
    const { status, body } = await send('GET', `/jobs?${query}`);
    assert.deepEqual([status, body.code], [400, 'INVALID_ARGUMENT']);
  });
}

test('a wait that is no time is refused', async () => {
  const id = await submit(gateway);
  for (const wait of ['', 'x', '10', '-1s', '1.5s', '61s', '60001ms', '1h', '9999999s', '1s1s']) {
    const { status, body } = await send('GET', `/jobs/${id}?wait=${wait}`);
    assert.deepEqual([status, body.code], [400, 'INVALID_ARGUMENT'], wait);
  }
});

test('a job that does not exist is not found, on any of its routes', async () => {
  const ids = ['x', 'job_0', encodeURIComponent('job_\0'), '..%2f', '%00', "'"];
  for (const id of ids) {
    for (const [method, rest] of [
      ['GET', ''],
      ['GET', '?wait=1s'],
      ['DELETE', ''],
      ['GET', '/events'],
      ['GET', '/results'],
    ] as const) {
      const { status, body } = await send(method, `/jobs/${id}${rest}`);
      assert.deepEqual([status, body.code], [404, 'NOT_FOUND'], `${method} ${id}${rest}`);
    }
  }
});

test('a job that has ended cannot be cancelled', async () => {
  const id = await submit(gateway);
  await ended(gateway, id);
  const { status, body } = await send('DELETE', `/jobs/${id}`);
  assert.deepEqual([status, body.code], [409, 'CONFLICT']);
});

test('the routes are described', async () => {
  const { body } = await send('GET', '/openapi.json');
  const paths = Object.keys(body.paths).filter((path) => path.startsWith('/jobs'));
  assert.deepEqual(paths.sort(), [
    '/jobs',
    '/jobs/batches',
    '/jobs/{id}',
    '/jobs/{id}/events',
    '/jobs/{id}/results',
  ]);
  const { requestBody } = body.paths['/jobs/batches'].post;
  const types = ['application/x-ndjson', 'application/zip', 'application/x-tar'];
  assert.deepEqual(Object.keys(requestBody.content), types);
});
