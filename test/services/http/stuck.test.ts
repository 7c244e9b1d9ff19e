/** @module Tests how stuck instances affect readiness and requests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type TestService, testService } from '../../support/service.ts';

const MODELS = {
  iris: { config: { instances: 2, run_limit_ms: 50 }, versions: { 'v1.0': '', 'v2.0': '' } },
};

function stick(service: TestService, name: string, stuckInstances: number): void {
  const model = service.model(name);
  model.measured = { ...model.measured, stuckInstances };
}

async function get({ app }: TestService, path: string) {
  const response = await app.request(path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function versions(service: TestService) {
  const { body } = await get(service, '/ready');
  const [{ versions: listed }] = body.models as [{ versions: Record<string, string>[] }];
  return listed.map(({ version, state, reason }) => ({ version, state, reason }));
}

const READY = { state: 'ready', reason: '' };

describe('a stuck instance', () => {
  test('is listed in /ready, while the version is served by its other instances', async () => {
    using service = await testService({ models: MODELS });
    stick(service, 'iris:v1.0', 1);
    assert.deepEqual(await versions(service), [
      {
        version: 'v1.0',
        state: 'ready',
        reason: 'Instances stuck: 1 of 2; the run on each has passed its limit and not returned.',
      },
      { version: 'v2.0', ...READY },
    ]);
    assert.equal((await get(service, '/ready')).status, 200);
    assert.equal((await get(service, '/v2/health/ready')).status, 200);
    assert.equal((await get(service, '/v2/models/iris/versions/v1.0/ready')).status, 200);
  });

  test('makes the version unready if it is the last one, and leaves other versions ready', async () => {
    using service = await testService({ models: MODELS });
    stick(service, 'iris:v1.0', 2);
    const [stuck, other] = await versions(service);
    assert.equal(stuck!.state, 'stuck');
    assert.match(stuck!.reason!, /^Instances stuck: 2 of 2/);
    assert.deepEqual(other, { version: 'v2.0', ...READY });
    assert.equal((await get(service, '/ready')).body.status, 'ready');
    assert.equal((await get(service, '/v2/health/ready')).status, 503);
    assert.equal((await get(service, '/v2/models/iris/versions/v1.0/ready')).status, 503);
    assert.equal((await get(service, '/v2/models/iris/versions/v2.0/ready')).status, 200);
  });

  test('of every version makes the service unready until a run returns', async () => {
    using service = await testService({ models: MODELS });
    for (const name of ['iris:v1.0', 'iris:v2.0']) stick(service, name, 2);
    const { status, body } = await get(service, '/ready');
    assert.deepEqual([status, body.status], [503, 'no model answers']);
    assert.equal((await get(service, '/alive')).status, 200);
    stick(service, 'iris:v2.0', 1);
    assert.equal((await get(service, '/ready')).status, 200);
  });
});

test('model.json sets the run limit, the weight and the batching policy', async () => {
  const config = { run_limit_ms: 50, weight: 3, batching: { policy: 'busy' } };
  using service = await testService({ models: { iris: { config, versions: { '1': '' } } } });
  const { runLimitMs, weight, batching } = service.engine.loads[0]!;
  assert.deepEqual(
    { runLimitMs, weight, batching },
    {
      runLimitMs: 50,
      weight: 3,
      batching: { policy: 'busy' },
    },
  );
});
