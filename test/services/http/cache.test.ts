/** The response cache as clients see it. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Principal } from '../../../runtime/index.ts';
import { createServiceApp } from '../../../services/http/create-service-app.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { sumOf } from '../../support/metrics.ts';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { type TestService, type TestServiceOptions, testService } from '../../support/service.ts';

const ROW = { features: [1, 2, 3, 4], model_version: 'v1.0' };

/** A classifier whose class is the first feature, so that responses tell their inputs. */
const telling = () => {
  const puppet = puppetClassifier();
  return {
    ...puppet,
    run: ({ features }: Parameters<typeof puppet.run>[0]) => {
      const { dims, data } = features!;
      const rows = dims[0]!;
      const scores = new Float32Array(rows * 3);
      for (let row = 0; row < rows; row += 1)
        scores[row * 3 + Number((data as Float32Array)[row * 4])] = 1;
      return { scores: { type: 'float32', dims: [rows, 3], data: scores } } as const;
    },
  };
};

const cached = (options: TestServiceOptions = {}) =>
  testService({ engine: telling, config: { cacheTtlSecs: 60 }, ...options });

const stateOf = (response: Response) => response.headers.get('x-cache');

/** Sends requests one after the other, and returns their `X-Cache`. */
async function states(
  service: TestService,
  ...requests: [body: unknown, headers?: Record<string, string>][]
) {
  const found: (string | null)[] = [];
  for (const [body, headers] of requests) found.push(stateOf(await service.predict(body, headers)));
  return found;
}

describe('X-Cache', () => {
  test('says miss, then hit with the age, and the responses differ only in their ids', async () => {
    using service = await cached();
    const [first, second] = [await service.predict(ROW), await service.predict(ROW)];
    assert.equal(stateOf(first), 'miss');
    assert.equal(first.headers.get('age'), null);
    assert.equal(stateOf(second), 'hit');
    assert.equal(second.headers.get('age'), '0');
    const timing = 'queue;dur=0, batch;desc="0/16", compute;dur=0';
    assert.equal(second.headers.get('server-timing'), timing);
    const [{ request_id: one, ...a }, { request_id: two, ...b }] = [
      (await first.json()) as Record<string, unknown>,
      (await second.json()) as Record<string, unknown>,
    ];
    assert.deepEqual(a, b);
    assert.notEqual(one, two);
    assert.equal(two, second.headers.get('x-request-id'));
  });

  test('is absent where nothing is cached', async () => {
    using service = await testService();
    assert.deepEqual(await states(service, [ROW], [ROW, { 'Cache-Control': 'no-store' }]), [
      null,
      null,
    ]);
  });

  test('follows Cache-Control', async () => {
    using service = await cached();
    const asked = await states(
      service,
      [ROW, { 'Cache-Control': 'no-store' }],
      [ROW],
      [ROW, { 'Cache-Control': 'no-cache' }],
      [ROW, { 'Cache-Control': 'no-store, no-cache' }],
      [ROW],
    );
    assert.deepEqual(asked, ['bypass', 'miss', 'miss', 'bypass', 'hit']);
  });

  test('is the same for the same inputs in another form', async () => {
    using service = await cached();
    const { features, model_version } = ROW;
    const asked = await states(
      service,
      [ROW],
      [`{ "model_version":"v1.0","features":[1.0,2,3e0,4]}`],
      [{ features: [features], model_version }],
      [{ ...ROW, non_finite: 'null' }],
    );
    assert.deepEqual(asked, ['miss', 'hit', 'hit', 'hit']);
    const many = await service.predict({ features: [features], model_version });
    assert.ok('predictions' in ((await many.json()) as object));
  });

  test('is that of the V2 protocol, too, which shares the results of /predict', async () => {
    using service = await cached();
    await service.predict(ROW);
    const body = {
      id: 'mine',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 4], data: ROW.features }],
      outputs: [{ name: 'scores' }],
    };
    const ask = () =>
      service.app.request('/v2/models/iris/versions/v1.0/infer', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    const response = await ask();
    const json = (await response.json()) as { id: string; outputs: { data: number[] }[] };
    assert.deepEqual([json.id, json.outputs[0]!.data], ['mine', [0, 1, 0]]);
    assert.deepEqual([stateOf(response), stateOf(await ask())], ['miss', 'hit']);
  });

  test('is absent on errors, which are not cached', async () => {
    const script = { ...telling() };
    using service = await cached({ engine: () => script });
    const { run } = script;
    script.run = () => {
      throw new Error('broken');
    };
    const failed = await service.predict(ROW);
    assert.deepEqual([failed.status, stateOf(failed)], [500, null]);
    script.run = run;
    assert.deepEqual(await states(service, [ROW], [ROW]), ['miss', 'hit']);
  });
});

describe('what is kept apart', () => {
  test('versions, whose split is decided first', async () => {
    let drawn = 0;
    using service = await cached({
      random: () => drawn,
      models: {
        iris: {
          config: { task: 'classification', traffic: { 'v1.0': 1, 'v2.0': 1 } },
          versions: { 'v1.0': '', 'v2.0': '' },
        },
      },
    });
    const ask = async (share: number) => {
      drawn = share;
      const response = await service.predict({ features: [2, 0, 0, 0] });
      const { model_version } = (await response.json()) as { model_version: string };
      return `${model_version} ${stateOf(response)}`;
    };
    assert.deepEqual(
      [await ask(0.1), await ask(0.9), await ask(0.1), await ask(0.9)],
      ['v1.0 miss', 'v2.0 miss', 'v1.0 hit', 'v2.0 hit'],
    );
  });

  test('tenants: the claim, else the key, else the subject', async () => {
    using service = await cached();
    let principal: Principal = { subject: undefined };
    const access = { authenticate: () => principal };
    const app = createServiceApp({ ...service.runtime, access }, prediction);
    const ask = async (caller: Principal) => {
      principal = caller;
      const headers = { 'Content-Type': 'application/json' };
      return stateOf(
        await app.request('/predict', { method: 'POST', headers, body: JSON.stringify(ROW) }),
      );
    };
    const callers: Principal[] = [
      { subject: undefined },
      { subject: 'a' },
      { subject: 'b' },
      { subject: 'a', keyId: 'k' },
      { subject: 'a', keyId: 'k', tenant: 't' },
      { subject: undefined, tenant: 'a' },
    ];
    for (const caller of callers) assert.equal(await ask(caller), 'miss');
    for (const caller of callers) assert.equal(await ask(caller), 'hit');
    assert.equal(await ask({ subject: 'other', keyId: 'other', tenant: 't' }), 'hit');
  });

  test('models, by their model.json', async () => {
    const config = { task: 'classification' };
    const versions = { 'v1.0': '' };
    using service = await testService({
      engine: telling,
      models: {
        on: { config: { ...config, cache: { ttl_seconds: 60, max_bytes: 100_000 } }, versions },
        off: { config, versions },
      },
    });
    const body = (model: string) => ({ model, features: [1, 2, 3, 4] });
    assert.deepEqual(await states(service, [body('on')], [body('on')]), ['miss', 'hit']);
    assert.deepEqual(await states(service, [body('off')], [body('off')]), [null, null]);
  });

  for (const [cache, says] of [
    [{}, /cache.ttl_seconds/],
    [{ ttl_seconds: -1 }, /cache.ttl_seconds/],
    [{ ttl_seconds: '60' }, /cache.ttl_seconds/],
    [{ ttl_seconds: 60, max_bytes: 0.5 }, /cache.max_bytes/],
    [{ ttl_seconds: 60, ttl: 1 }, /ttl/],
    [60, /cache/],
  ] as const) {
    test(`model.json is refused with the cache ${JSON.stringify(cache)}`, async () => {
      using service = await testService({
        models: { iris: { config: { cache }, versions: { 'v1.0': '' } } },
      });
      const [version] = service.runtime.models()[0]!.versions;
      assert.equal(version!.state, 'failed');
      assert.match(version!.reason, says);
    });
  }
});

test('a request that is remembered is checked like any other', async () => {
  using service = await cached();
  const wrong = { ...ROW, features: [1, 2, 3] };
  for (let round = 0; round < 2; round += 1) {
    assert.equal((await service.predict(wrong)).status, 400);
    assert.equal((await service.predict('{"features": [1,')).status, 400);
    assert.deepEqual(await states(service, [ROW]), [round === 0 ? 'miss' : 'hit']);
  }
});

test('a response says what the newest run has returned', async () => {
  const script = { ...telling() };
  using service = await cached({ engine: () => script });
  const say = async (control: string) => {
    const response = await service.predict(ROW, { 'Cache-Control': control });
    const { confidence } = (await response.json()) as { confidence: number };
    return `${stateOf(response)} ${confidence}`;
  };
  assert.deepEqual([await say(''), await say('')], ['miss 1', 'hit 1']);
  const scores = Float32Array.of(0.5, 0.25, 0.25);
  script.run = () => ({ scores: { type: 'float32', dims: [1, 3], data: scores } });
  assert.deepEqual(
    [await say(''), await say('no-cache'), await say('')],
    ['hit 1', 'miss 0.5', 'hit 0.5'],
  );
});

test('rows run one by one as soon as the engine finds that they must, also those of a remembered request', async () => {
  const puppet = telling();
  const batching = { ...puppet.signature.batching };
  const signature = { ...puppet.signature, batching };
  using service = await cached({ engine: () => ({ ...puppet, signature }) });
  const body = { ...ROW, features: [ROW.features, [2, 0, 0, 0]] };
  const runs = async () => {
    const before = service.model('iris:v1.0').counts.submitted;
    assert.equal((await service.predict(body, { 'Cache-Control': 'no-cache' })).status, 200);
    return service.model('iris:v1.0').counts.submitted - before;
  };
  assert.deepEqual([await runs(), await runs()], [1, 1]);
  batching.enabled = false;
  assert.deepEqual([await runs(), await runs()], [2, 2]);
});

test('requests at the same time share one run', async () => {
  using service = await cached();
  const model = service.model('iris:v1.0');
  const before = model.counts.submitted;
  model.hold();
  const asked = Array.from({ length: 5 }, () => service.predict(ROW));
  // The responses are pending as long as the model is held.
  await new Promise((resolve) => setTimeout(resolve, 0));
  model.release();
  const found = (await Promise.all(asked)).map(stateOf);
  assert.deepEqual(found.toSorted(), ['hit', 'hit', 'hit', 'hit', 'miss']);
  assert.equal(model.counts.submitted, before + 1);
});

test('the metrics count look-ups by tier', async () => {
  using service = await cached();
  await states(service, [ROW], [ROW], [ROW], [ROW, { 'Cache-Control': 'no-store' }]);
  const page = await (await service.app.request('/metrics')).text();
  assert.equal(sumOf(page, 'cache_hits_total', { tier: 'memory' }), 2);
  assert.equal(sumOf(page, 'cache_misses_total', { tier: 'memory' }), 1);
  assert.equal(sumOf(page, 'cache_hits_total', { tier: 'redis' }), 0);
});
