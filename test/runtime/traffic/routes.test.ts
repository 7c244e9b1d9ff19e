import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import type { TrafficRoute } from '../../../runtime/routing/route.ts';
import { testStore } from '../../support/store.ts';
import { ANN, clear, rejects, TestTraffic } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

const CANARY = { version: 'v2', steps: [0.1, 1], bake_seconds: 1, min_requests: 1, guards: {} };

test('a route is stored as it is written, with a revision that rises', async () => {
  await using t = new TestTraffic(store);
  assert.deepEqual(await t.traffic.route('iris'), {
    weights: {},
    revision: 0,
    source: 'model.json',
  });
  const route: TrafficRoute = {
    weights: { v1: 0.8, v2: 0.2 },
    sticky: { header: 'X-User-Id' },
    shadow: { version: 'v3', fraction: 0.1, tolerance: 1e-4 },
  };
  const first = await t.put(route);
  assert.deepEqual(first, { ...route, revision: first.revision, source: 'database' });
  assert.deepEqual(await t.traffic.route('iris'), first);
  const second = await t.put({ weights: { v1: 1 } });
  assert.ok(second.revision > first.revision && first.revision > 0);
  assert.deepEqual(await t.traffic.deleteRoute('iris', ANN, undefined), {
    ...{ weights: {}, revision: 0, source: 'model.json' },
  });
  assert.ok((await t.put(route)).revision > second.revision, 'no revision is used twice');
  assert.deepEqual(await t.events(), [
    ...['ann set_route', 'ann set_route', 'ann delete_route', 'ann set_route'],
  ]);
});

test('a change that expects another revision changes nothing', async () => {
  await using t = new TestTraffic(store);
  const put = (expected: readonly number[] | 'any' | 'none') =>
    t.traffic.putRoute('iris', { weights: { v1: 1 } }, ANN, expected);
  await rejects(put('any'), 'STALE_REVISION', /route of model 'iris' does not exist/);
  const { revision } = await put([0]);
  await rejects(put('none'), 'STALE_REVISION', /exists already/);
  await rejects(put([revision - 1]), 'STALE_REVISION', new RegExp(`its revision is ${revision}`));
  const deletion = t.traffic.deleteRoute('iris', ANN, [revision + 1]);
  await rejects(deletion, 'STALE_REVISION', /has been changed/);
  await rejects(
    t.traffic.steer('iris', 'pause', ANN, [revision + 1]),
    'STALE_REVISION',
    /has been changed/,
  );
  assert.equal((await t.traffic.route('iris')).revision, revision);
  await put([revision]);
});

test('of two changes at once that expect the same revision, one is made', async () => {
  await using t = new TestTraffic(store);
  const { revision } = await t.put({ weights: { v1: 1 } });
  const changes = ['v1', 'v2', 'v3'].map((version) =>
    t.traffic.putRoute('iris', { weights: { [version]: 2 } }, ANN, [revision]),
  );
  const results = await Promise.allSettled(changes);
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('a route that is stored already is not changed', async () => {
  await using t = new TestTraffic(store);
  const route = { weights: { v1: 1, v3: 2 }, canary: CANARY };
  const first = await t.put(route);
  await t.serve('v1', 5);
  assert.deepEqual(await t.put({ canary: CANARY, weights: { v3: 2, v1: 1 } }), first);
  assert.equal((await t.traffic.experiments('iris')).arms[0]?.requests, 5);
  assert.equal((await t.events()).length, 1);
});

test('a change with a key is made once', async () => {
  await using t = new TestTraffic(store);
  const author = { who: 'ann', once: { owner: 'ann', key: 'k', request: 'abc' } };
  const put = () => t.traffic.putRoute('iris', { weights: { v1: 1 } }, author, undefined);
  assert.deepEqual(await put(), await put());
  assert.equal((await t.events()).length, 1);
});

test('mistakes are refused by name and change nothing', async () => {
  await using t = new TestTraffic(store);
  const before = await t.put({ weights: { v1: 1 } });
  const wrong: [Partial<TrafficRoute>, string, RegExp][] = [
    [{ weights: { v9: 1 } }, 'VERSION_NOT_FOUND', /'iris' has no version 'v9'/],
    [{ weights: { v1: 1, v9: 0 } }, 'VERSION_NOT_FOUND', /'v9'/],
    [{ shadow: { version: 'v8', fraction: 1 } }, 'VERSION_NOT_FOUND', /'v8'/],
    [{ weights: { v1: 1 }, canary: { ...CANARY, version: 'v7' } }, 'VERSION_NOT_FOUND', /'v7'/],
    [{ weights: { v2: 1 }, canary: CANARY }, 'INVALID_ARGUMENT', /'v2' needs a version/],
    [{}, 'INVALID_ARGUMENT', /The route is empty/],
  ];
  for (const [route, code, text] of wrong) await rejects(t.put(route), code, text);
  await rejects(t.put({ weights: { v1: 1 } }, 'none'), 'MODEL_NOT_FOUND', /'none'/);
  await rejects(t.put({ weights: { v1: 1 } }, 'a\0b'), 'MODEL_NOT_FOUND', /no model/);
  await rejects(t.traffic.route('none'), 'MODEL_NOT_FOUND', /'none'/);
  await rejects(t.traffic.experiments('none'), 'MODEL_NOT_FOUND', /'none'/);
  await rejects(t.traffic.deleteRoute('none', ANN, undefined), 'MODEL_NOT_FOUND', /'none'/);
  assert.deepEqual(await t.traffic.route('iris'), before);
  assert.equal((await t.events()).length, 1);
});

test('versions that the route names are in use', async () => {
  await using t = new TestTraffic(store);
  const uses = async () =>
    Promise.all(['v1', 'v2', 'v3'].map((version) => t.routes.uses(store, 'iris', version)));
  assert.deepEqual(await uses(), [[], [], []]);
  const shadow = { version: 'v3', fraction: 1 };
  await t.put({ weights: { v1: 1, v2: 0 }, shadow, canary: { ...CANARY, steps: [1] } });
  assert.deepEqual(await uses(), [['weight'], ['canary'], ['shadow']]);
  await t.traffic.steer('iris', 'abort', ANN, undefined);
  assert.deepEqual(await uses(), [['weight'], [], ['shadow']]);
  t.file = { iris: { weights: { v2: 1, v1: 1 } } };
  assert.deepEqual(await uses(), [['weight'], ['weight'], ['shadow']]);
});

test('the route in ROUTING_FILE takes precedence', async () => {
  await using t = new TestTraffic(store);
  await t.put({ weights: { v1: 1 } });
  t.file = { iris: { weights: { v2: 1 } }, other: { weights: { v1: 1 } } };
  assert.deepEqual(
    (await t.routes.effective(store)).map(({ model, source, route }) => {
      return [model, source, route.weights];
    }),
    [
      ['iris', 'file', { v2: 1 }],
      ['other', 'file', { v1: 1 }],
    ],
  );
  const shown = await t.traffic.route('iris');
  assert.deepEqual([shown.source, shown.weights], ['file', { v2: 1 }]);
  const stored = await t.put({ weights: { v3: 1 } });
  assert.equal(stored.source, 'file', 'what is stored is not in effect yet');
  await rejects(
    store.transaction((sql) => t.routes.promote(sql, 'iris', 'v1', 99)),
    'CONFLICT',
    /is in ROUTING_FILE, which takes precedence/,
  );
  t.file = {};
  assert.deepEqual((await t.inEffect()).weights, { v3: 1 });
});

test('a promotion gives a version all requests, and keeps the rest of the route', async () => {
  await using t = new TestTraffic(store);
  const promote = (revision: number) =>
    store.transaction((sql) => t.routes.promote(sql, 'other', 'v2', revision));
  await store.query(`insert into models (name, revision, created_by) values ('other', 0, 'ann')`);
  assert.equal(await promote(1_000_001), undefined);
  assert.deepEqual((await t.inEffect('other')).weights, { v2: 1 });
  const shadow = { version: 'v1', fraction: 0.5 };
  await t.put({ weights: { v1: 0.5, v2: 0.5 }, shadow }, 'other');
  assert.deepEqual(await promote(1_000_002), { v1: 0.5, v2: 0.5 });
  const { revision, weights, shadow: kept } = await t.traffic.route('other');
  assert.deepEqual([revision, weights, kept], [1_000_002, { v2: 1 }, shadow]);
});
