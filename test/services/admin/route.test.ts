import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { TWO_VERSIONS } from '../../support/service.ts';
import { refuses, type TestGateway, testGateway } from './support.ts';

const PATH = '/admin/models/iris/route';
const CANARY = { version: 'v2.0', steps: [0.5, 1] };
const FEATURES = { features: [1, 2, 3, 4] };

let gateway: TestGateway;
before(async () => {
  gateway = await testGateway({ models: { ...TWO_VERSIONS, plain: TWO_VERSIONS.iris! } });
  await gateway.register('m', 'v1');
  await gateway.register('m', 'old');
  await gateway.send('DELETE', '/admin/models/m/versions/old');
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => gateway.send('DELETE', PATH));

test('a route is read as it was written, and is in effect in the next response', async () => {
  const { send } = gateway;
  const before = await send('GET', PATH);
  assert.deepEqual([before.body.revision, before.body.source], [0, 'model.json']);
  assert.equal(before.headers.get('etag'), '"0"');
  const route = {
    weights: { 'v1.0': 0, 'v2.0': 3 },
    sticky: { field: '/user/id' },
    shadow: { version: 'v1.0', fraction: 0.1 },
  };
  const put = await send('PUT', `${PATH}?strict`, route, { 'If-Match': '"0"' });
  assert.equal(put.status, 200);
  const { revision } = put.body;
  assert.deepEqual(put.body, { ...route, revision, source: 'database' });
  assert.equal(put.headers.get('etag'), `"${revision}"`);
  assert.deepEqual((await send('GET', PATH)).body, put.body);
  const predicted = await send('POST', '/predict', { model: 'iris', ...FEATURES });
  assert.equal(predicted.body.model_version, 'v2.0', JSON.stringify(predicted.body));
  assert.equal(predicted.headers.get('x-model-version'), 'v2.0');
  const deleted = await send('DELETE', PATH, undefined, { 'If-Match': `"${revision}"` });
  assert.deepEqual([deleted.status, deleted.body.source], [200, 'model.json']);
});

test('a canary has defaults, and its state beside its plan', async () => {
  const { send } = gateway;
  const { body } = await send('PUT', PATH, { weights: { 'v1.0': 1 }, canary: CANARY });
  const plan = { ...CANARY, bake_seconds: 300, min_requests: 500, guards: {} };
  assert.deepEqual(body.canary, { ...plan, state: 'running', step: 0, reason: null });
  const paused = await send('POST', `${PATH}/canary/pause`);
  assert.equal(paused.body.canary.state, 'paused');
  const key = { 'Idempotency-Key': 'promote-1' };
  const promoted = await send('POST', `${PATH}/canary/promote`, {}, key);
  assert.deepEqual(
    [promoted.body.weights, promoted.body.canary.state],
    [{ 'v2.0': 1 }, 'promoted'],
  );
  assert.deepEqual((await send('POST', `${PATH}/canary/promote`, {}, key)).body, promoted.body);
  assert.deepEqual((await send('GET', '/admin/models/iris')).body.labels, { stable: 'v2.0' });
});

test('requests are counted by arm, and outcomes are joined to them', async () => {
  const { send } = gateway;
  await send('PUT', PATH, { weights: { 'v1.0': 1, 'v2.0': 1 } });
  const ids: Record<string, string[]> = { 'v1.0': [], 'v2.0': [] };
  for (let i = 0; i < 40; i += 1) {
    const { body } = await send('POST', '/predict', { model: 'iris', ...FEATURES });
    ids[body.model_version]!.push(body.request_id);
  }
  await send('POST', '/predict', { model: 'iris', features: [1] });
  await send('POST', '/predict', { model: 'iris', model_version: 'v1.0', ...FEATURES });
  const [requestId] = ids['v1.0']!;
  const feedback = { request_id: requestId, truth: 'setosa', reward: 0.5 };
  assert.deepEqual((await send('POST', '/feedback', feedback)).body, {
    ...{ request_id: requestId, model: 'iris', model_version: 'v1.0', arm: 'v1.0' },
  });
  const { body } = await send('GET', '/admin/models/iris/experiments');
  for (const arm of body.arms) {
    assert.deepEqual([arm.requests, arm.errors], [ids[arm.version]!.length, 0], arm.version);
    assert.ok(arm.p50_ms > 0 && arm.p50_ms <= arm.p95_ms && arm.p95_ms <= arm.p99_ms);
    assert.ok(arm.mean_confidence > 0 && arm.mean_confidence <= 1);
  }
  const outcomes = { count: 1, accuracy: 1, mean_reward: 0.5 };
  assert.deepEqual(body.arms[0].feedback, outcomes);
  assert.deepEqual(
    body.pairs.map(({ metric }: { metric: string }) => metric),
    ['error_rate', 'p99_ratio'],
  );
});

const JSON_TYPE = { 'Content-Type': 'application/json' };
const WEIGHTS = { weights: { 'v1.0': 1 } };
const canary = (change: object) => ({ ...WEIGHTS, canary: { ...CANARY, ...change } });

describe('mistakes', () => {
  beforeEach(() => gateway.send('PUT', PATH, WEIGHTS));
  refuses(() => gateway, 'PUT', '/admin/models/', [
    ['none/route', WEIGHTS, 404, /no model 'none'/],
    ['%00/route', WEIGHTS, 404, /no model/],
    ['..%2f/route', WEIGHTS, 404, /no model/],
    ['m/route', { weights: { v9: 1 } }, 404, /no version 'v9'/],
    ['m/route', { weights: { '../v1': 1 } }, 404, /no version '..\/v1'/],
    ['m/route', { weights: { old: 1 } }, 409, /'old' of model 'm' is archived/],
    ['iris/route', { sticky: { claim: '\u0000' } }, 400, /NUL/],
    ['iris/route', { sticky: { field: '/\ud800' } }, 400, /surrogate/],
    ['m/route', { shadow: { version: 'old', fraction: 1 } }, 409, /'old'/],
    ['iris/route', { weights: { 'v1.0': -1 } }, 400, /weights\.v1\.0 must be at least 0/],
    ['iris/route', { weights: { 'v1.0': 'NaN' } }, 400, /must be a number/],
    ['iris/route', { weights: { 'v1.0': null } }, 400, /must be a number/],
    ['iris/route', '{"weights":{"v1.0":NaN}}', 400, /not valid JSON/, JSON_TYPE],
    ['iris/route', '{"weights":{"v1.0":1e999}}', 400, /weights/, JSON_TYPE],
    ['iris/route', { weights: { 'v1.0': 0 } }, 400, /one is more than 0/],
    ['iris/route', { weights: [1, 2] }, 400, /weights must be an object/],
    ['iris/route', {}, 400, /The route is empty/],
    ['iris/route', '', 400, /The route is empty/, JSON_TYPE],
    ['iris/route', { ...WEIGHTS, wieghts: {} }, 400, /unknown key 'wieghts'/],
    ['iris/route', { ...WEIGHTS, revision: 3 }, 400, /unknown key 'revision'/],
    ['iris/route', { ...WEIGHTS, period: 3 }, 400, /unknown key 'period'/],
    ['iris/route', { ...WEIGHTS, sticky: { header: 'X Y' } }, 400, /name of a header/],
    ['iris/route', { ...WEIGHTS, sticky: { field: 'user' } }, 400, /JSON pointer/],
    ['iris/route', { ...WEIGHTS, sticky: { header: 'a', claim: 'b' } }, 400, /sticky/],
    [
      'iris/route',
      { shadow: { version: 'v1.0', fraction: 1.5 } },
      400,
      /fraction must be at most 1/,
    ],
    ['iris/route', canary({ steps: [0.5, 0.5] }), 400, /each is greater than the one before/],
    ['iris/route', canary({ steps: [0.5, 1.1] }), 400, /at most 1/],
    ['iris/route', canary({ steps: [] }), 400, /steps/],
    ['iris/route', canary({ steps: [0] }), 400, /more than 0/],
    ['iris/route', canary({ state: 'promoted' }), 400, /unknown key 'state'/],
    ['iris/route', canary({ guards: { errors: 1 } }), 400, /unknown key 'errors'/],
    ['iris/route', canary({ guards: { p99_ratio: 0 } }), 400, /more than 0/],
    ['iris/route', canary({ bake_seconds: -1 }), 400, /at least 0/],
    ['iris/route', canary({ min_requests: 0.5 }), 400, /whole number/],
    ['iris/route', canary({ version: 'v1.0' }), 400, /needs a version to be compared with/],
    ['iris/route', WEIGHTS, 412, /has been changed/, { 'If-Match': '"1"' }],
    ['iris/route', WEIGHTS, 412, /exists already/, { 'If-None-Match': '*' }],
    ['iris/route', WEIGHTS, 400, /If-Match must be/, { 'If-Match': '1' }],
    ['iris/route?strict', WEIGHTS, 428, /needs If-Match/],
    ['iris/route?strict=yes', WEIGHTS, 400, /\?strict must be true or false/],
    ['iris/route', WEIGHTS, 400, /Idempotency-Key/, { 'Idempotency-Key': 'a b' }],
    ['iris/route', `{"x":"${'x'.repeat(70_000)}"}`, 413, /longer than 65536 bytes/, JSON_TYPE],
  ]);
  refuses(() => gateway, 'DELETE', '/admin/models/', [
    ['none/route', undefined, 404, /no model 'none'/],
    ['%00/route', undefined, 404, /no model/],
    ['%ff/route', undefined, 404, /no model/],
    ['IRIS/route', undefined, 404, /no model 'IRIS'/],
    ['iris/routes', undefined, 404, /no such route/],
    ['iris/route', undefined, 412, /has been changed/, { 'If-Match': '"1"' }],
    ['iris/route', undefined, 412, /has been changed/, { 'If-Match': 'W/"9"' }],
    ['m/route', undefined, 412, /does not exist/, { 'If-Match': '*' }],
    ['iris/route', undefined, 412, /exists already/, { 'If-None-Match': '*' }],
    ['iris/route', undefined, 400, /If-Match must be/, { 'If-Match': 'abc' }],
    ['iris/route?strict', undefined, 428, /needs If-Match/],
    ['iris/route', undefined, 400, /Idempotency-Key/, { 'Idempotency-Key': '' }],
  ]);
  refuses(() => gateway, 'POST', '/admin/models/', [
    ['none/route/canary/pause', undefined, 404, /no model 'none'/],
    ['iris/route/canary/pause', undefined, 404, /has no canary/],
    ['iris/route/canary/resume', undefined, 404, /has no canary/],
    ['iris/route/canary/promote', {}, 404, /has no canary/],
    ['iris/route/canary/abort', {}, 404, /has no canary/],
    ['iris/route/canary/rollback', undefined, 400, /one of pause, resume, promote, abort/],
    ['iris/route/canary/PAUSE', undefined, 400, /one of pause/],
    ['iris/route/canary/%00', undefined, 400, /one of pause/],
    ['iris/route/canary/pause', { now: true }, 400, /unknown key 'now'/],
    ['iris/route/canary/pause', '[', 400, /not valid JSON/, JSON_TYPE],
    ['iris/route/canary/pause', undefined, 412, /has been changed/, { 'If-Match': '"1"' }],
    ['iris/route/canary/pause?strict', undefined, 428, /needs If-Match/],
  ]);
  refuses(() => gateway, 'GET', '/admin/models/', [
    ['none/route', undefined, 404, /no model 'none'/],
    ['none/experiments', undefined, 404, /no model 'none'/],
    ['%00/route', undefined, 404, /no model/],
    ['%00/experiments', undefined, 404, /no model/],
    ['..%2f..%2fetc/route', undefined, 404, /no model/],
    ['..%2f..%2fetc/experiments', undefined, 404, /no model/],
    ["'; drop table routes --/route", undefined, 404, /no model/],
    ['a/b/route', undefined, 404, /no such route/],
    ['IRIS/experiments', undefined, 404, /no model 'IRIS'/],
    ['iris/experiments/1', undefined, 404, /no such route/],
  ]);
  refuses(() => gateway, 'POST', '/feedback', [
    ['', undefined, 400, /request_id must be/],
    ['', {}, 400, /request_id must be/],
    ['', { request_id: 'req_1' }, 400, /an object with truth or reward/],
    ['', { request_id: 'a b', reward: 1 }, 400, /request_id of a response/],
    ['', { request_id: 'x'.repeat(129), reward: 1 }, 400, /request_id of a response/],
    ['', { request_id: 7, reward: 1 }, 400, /request_id must be/],
    ['', { request_id: 'req_1', reward: 'good' }, 400, /reward must be a number/],
    ['', '{"request_id":"req_1","reward":1e999}', 400, /reward/, JSON_TYPE],
    ['', { request_id: 'req_1', reward: -1e200 }, 400, /reward must be at least/],
    ['', { request_id: 'req_1', truth: { a: 1 } }, 400, /truth/],
    ['', { request_id: 'req_1', truth: null }, 400, /truth/],
    ['', { request_id: 'req_1', reward: 1, weight: 2 }, 400, /unknown key 'weight'/],
    ['', { request_id: 'req_1', reward: 1 }, 404, /no such request_id/],
  ]);
});
