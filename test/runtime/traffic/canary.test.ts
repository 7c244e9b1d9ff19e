import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setLabel } from '../../../runtime/catalog/labels.ts';
import { withShare } from '../../../runtime/traffic/canary.ts';
import { testStore } from '../../support/store.ts';
import { ANN, clear, rejects, TestTraffic } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

const PLAN = {
  version: 'v2',
  steps: [0.1, 0.5, 1],
  bake_seconds: 60,
  min_requests: 100,
  guards: { error_rate: 0.05, p99_ratio: 1.5 },
};

const started = async (plan: Partial<typeof PLAN> = {}) => {
  const t = new TestTraffic(store);
  await t.put({ weights: { v1: 3, v3: 1 }, canary: { ...PLAN, ...plan } });
  return t;
};

/** Lets the arms respond to requests that differ in nothing. */
async function serveAll(t: TestTraffic, count = 200): Promise<void> {
  const { weights } = await t.inEffect();
  for (const version of ['v1', 'v2', 'v3']) {
    if (weights[version]! > 0) await t.serve(version, count);
  }
}

const stable = async () => {
  const [row] = await store.query<{ version: string }>(
    `select version from model_labels where label = 'stable'`,
  );
  return row?.version;
};

describe('a canary that passes', () => {
  test('walks its steps, is promoted and becomes stable', async () => {
    await using t = await started();
    assert.deepEqual((await t.inEffect()).weights, { v1: 0.675, v3: 0.225, v2: 0.1 });
    for (const [step, share] of [0.1, 0.5, 1].entries()) {
      const { canary } = await t.traffic.route('iris');
      assert.deepEqual([canary?.state, canary?.step], ['running', step]);
      assert.equal((await t.inEffect()).weights.v2, share);
      await serveAll(t);
      await t.drive(60);
    }
    const { weights, canary } = await t.traffic.route('iris');
    assert.deepEqual(weights, { v2: 1 });
    assert.deepEqual([canary?.state, canary?.step, canary?.reason], ['promoted', 2, null]);
    assert.equal(await stable(), 'v2');
    const { period, ...inEffect } = await t.inEffect();
    assert.deepEqual(inEffect, { weights: { v2: 1 } });
    assert.ok(period! > 0);
    assert.deepEqual(await t.events(), [
      'ann set_route',
      'canary canary_step',
      'canary canary_step',
      'canary promote_canary',
    ]);
  });

  test('waits for its time and for its requests', async () => {
    await using t = await started();
    await serveAll(t);
    assert.equal((await t.drive(59)).canary?.step, 0);
    assert.equal((await t.drive(1)).canary?.step, 1);
    await t.serve('v2', 99);
    assert.equal((await t.drive(1000)).canary?.step, 1);
    await t.serve('v2', 1);
    assert.equal((await t.drive(0)).canary?.step, 2);
  });

  test('goes on in another process, and only one drives', async () => {
    await using t = await started();
    await serveAll(t);
    assert.equal((await t.drive(60)).canary?.step, 1);
    const second = t.another();
    await serveAll(t);
    await t.traffic.experiments('iris');
    t.nowMs += 60_000;
    await second.lead();
    assert.equal((await t.traffic.route('iris')).canary?.step, 1);
    await t.traffic.close();
    await second.lead();
    assert.equal((await second.route('iris')).canary?.step, 2);
    await second.close();
  });

  test('gets no further while the route in ROUTING_FILE takes precedence', async () => {
    await using t = await started();
    await serveAll(t);
    t.file = { iris: { weights: { v3: 1 } } };
    await t.drive(60);
    t.file = {};
    assert.equal((await t.traffic.route('iris')).canary?.step, 0);
  });
});

describe('a canary that fails', () => {
  test('is rolled back as soon as its errors show it', async () => {
    await using t = await started();
    await t.serve('v1', 500, { failures: 5 });
    await t.serve('v2', 30, { failures: 12 });
    const { weights, canary } = await t.drive(5);
    assert.deepEqual(weights, { v1: 3, v3: 1, v2: 0 });
    assert.equal(canary?.state, 'rolled_back');
    assert.equal(
      canary.reason,
      'The error rate is 40 % against 1 %, and the guard allows 5 % more.',
    );
    const { period: _, ...inEffect } = await t.inEffect();
    assert.deepEqual(inEffect, { weights: { v1: 3, v3: 1, v2: 0 } });
    assert.equal(await stable(), undefined);
    assert.deepEqual(await t.events(), ['ann set_route', 'canary roll_back_canary']);
  });

  test('is rolled back by its latency', async () => {
    await using t = await started();
    await t.serve('v1', 900, { latencyMs: 10 });
    await t.serve('v2', 100, { latencyMs: 20 });
    const { canary } = await t.drive(5);
    assert.match(
      canary!.reason!,
      /^The 99th percentile of the latency is 20.1 ms against 10 ms, and/,
    );
  });

  test('is compared in its last step with the versions of the step before', async () => {
    await using t = await started({ steps: [0.5, 1] });
    await serveAll(t);
    await t.drive(60);
    await t.serve('v2', 100, { failures: 30 });
    assert.match((await t.drive(0)).canary!.reason!, /30 % against 0 %/);
  });

  test('without anything to compare with, is judged by the limit alone', async () => {
    await using t = await started({ steps: [1] });
    await t.serve('v2', 100, { failures: 30 });
    assert.match((await t.drive(0)).canary!.reason!, /^The error rate is 30 %, and/);
  });

  test('is rolled back by what its shadow shows', async () => {
    await using t = new TestTraffic(store);
    const guards = { disagreement: 0.05 };
    await t.put({
      ...{ weights: { v1: 1 }, canary: { ...PLAN, guards } },
      shadow: { version: 'v2', fraction: 1 },
    });
    const { period = 0 } = await t.inEffect();
    for (const requestId of await t.serve('v2', 40)) {
      t.traffic.observer.compared({
        ...{ model: 'iris', requestId, arm: 'stable', version: 'v1', period, shadow: 'v2' },
        ...{ latencyMs: 1, failed: false, agrees: requestId.endsWith('0'), maxAbsDifference: 1 },
        ...{ outputs: undefined, shadowOutputs: undefined, inputs: undefined },
      });
    }
    assert.match((await t.drive(1)).canary!.reason!, /^The shadow disagrees in 90 % of the/);
  });

  test('is rolled back by rewards', async () => {
    await using t = new TestTraffic(store);
    const guards = { reward_drop: 0.02 };
    await t.put({ weights: { v1: 1 }, canary: { ...PLAN, guards } });
    const ids = { v1: await t.serve('v1', 60), v2: await t.serve('v2', 60) };
    for (const [i, requestId] of ids.v1.entries()) {
      await t.traffic.report({ requestId, reward: 1 + (i % 3) / 10 });
    }
    for (const [i, requestId] of ids.v2.entries()) {
      await t.traffic.report({ requestId, reward: 0.9 + (i % 3) / 10 });
    }
    assert.match((await t.drive(1)).canary!.reason!, /^The mean reward is 1 against 1.1, and/);
  });
});

describe('an operator', () => {
  test('pauses and resumes, which begins the time of the step anew', async () => {
    await using t = await started();
    await serveAll(t);
    await t.traffic.steer('iris', 'pause', ANN, undefined);
    assert.equal((await t.drive(1000)).canary?.state, 'paused');
    assert.equal((await t.inEffect()).weights.v2, 0.1);
    await t.traffic.steer('iris', 'resume', ANN, undefined);
    assert.equal((await t.drive(59)).canary?.step, 0);
    assert.equal((await t.drive(1)).canary?.step, 1);
    assert.deepEqual((await t.events()).slice(1, 3), ['ann pause_canary', 'ann resume_canary']);
  });

  test('promotes or aborts at once', async () => {
    await using t = await started();
    const promoted = await t.traffic.steer('iris', 'promote', ANN, undefined);
    assert.deepEqual([promoted.weights, promoted.canary?.state], [{ v2: 1 }, 'promoted']);
    assert.equal(await stable(), 'v2');
    await t.put({ weights: { v1: 1 }, canary: PLAN });
    const aborted = await t.traffic.steer('iris', 'abort', ANN, undefined);
    assert.deepEqual([aborted.weights, aborted.canary?.state], [{ v1: 1, v2: 0 }, 'rolled_back']);
    assert.equal(aborted.canary?.reason, 'It was aborted.');
  });

  test('cannot do what the state does not allow', async () => {
    await using t = await started();
    const steer = (action: 'pause' | 'resume' | 'promote' | 'abort') =>
      t.traffic.steer('iris', action, ANN, undefined);
    await rejects(steer('resume'), 'CONFLICT', /is running, so that resume is not possible/);
    await steer('abort');
    for (const action of ['pause', 'resume', 'promote', 'abort'] as const) {
      await rejects(steer(action), 'CONFLICT', /is rolled back/);
    }
    await t.put({ weights: { v1: 1 } });
    await rejects(steer('pause'), 'NOT_FOUND', /has no canary/);
    await rejects(t.traffic.steer('none', 'pause', ANN, undefined), 'MODEL_NOT_FOUND', /'none'/);
  });

  test('changes a route without disturbing its canary', async () => {
    await using t = await started();
    await serveAll(t);
    await t.drive(60);
    await serveAll(t, 50);
    await t.put({
      weights: { v1: 3, v3: 1 },
      canary: PLAN,
      shadow: { version: 'v3', fraction: 1 },
    });
    await serveAll(t, 50);
    assert.equal((await t.drive(60)).canary?.step, 2, 'statistics of the step were kept');
  });

  test('changes the weights, and the step begins anew', async () => {
    await using t = await started();
    await serveAll(t);
    await t.drive(60);
    await serveAll(t);
    await t.put({ weights: { v1: 1 }, canary: PLAN });
    assert.equal((await t.drive(60)).canary?.step, 1);
    assert.deepEqual((await t.inEffect()).weights, { v1: 0.5, v2: 0.5 });
    await serveAll(t);
    assert.equal((await t.drive(0)).canary?.step, 2);
  });

  test('starts an ended canary again with the same route', async () => {
    await using t = await started();
    await t.traffic.steer('iris', 'abort', ANN, undefined);
    await t.put({ weights: { v1: 3, v3: 1 }, canary: PLAN });
    assert.equal((await t.traffic.route('iris')).canary?.state, 'running');
  });

  test('promotes another version, which ends the canary', async () => {
    await using t = await started();
    await store.transaction((sql) => t.routes.promote(sql, 'iris', 'v3', 1_000_000));
    const { weights, canary } = await t.traffic.route('iris');
    assert.deepEqual([weights, canary?.state], [{ v3: 1 }, 'rolled_back']);
    assert.equal(canary?.reason, "Version 'v3' was promoted.");
  });
});

test('the version that is stable is the baseline where the weights give none', async () => {
  await using t = new TestTraffic(store);
  await rejects(t.put({ canary: PLAN }), 'INVALID_ARGUMENT', /'v2' needs a version to be compared/);
  const context = { store, routes: t.routes, repository: REPOSITORY };
  await setLabel(context, 'iris', 'stable', 'v1', ANN, undefined);
  await t.put({ canary: PLAN });
  assert.deepEqual((await t.inEffect()).weights, { v1: 0.9, v2: 0.1 });
});

const REPOSITORY = {
  names: () => ['iris'],
  versions: () => ['v1', 'v2', 'v3'],
  config: () => undefined,
};

test('the others divide the rest of a canary as their weights say, however large these are', () => {
  assert.deepEqual(withShare({ a: 1e308, b: 1e308, c: 1e308 }, 'c', 0.5), {
    ...{ a: 0.25, b: 0.25, c: 0.5 },
  });
  assert.deepEqual(withShare({ a: 1, b: 3 }, 'c', 1), { a: 0, b: 0, c: 1 });
});
