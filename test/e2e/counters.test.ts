/** @module Tests that the model and the HTTP edge count every request once, by its outcome. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { post, RawClient } from '../support/raw-http.ts';
import { inModel, outcomesOf, responseCounts, settled, slow, start } from './support.ts';

/** The warm-up run of a version. */
const WARM_UP = 1;

const IDLE = { queued: 0, running: 0 };

describe('clients that disconnect', () => {
  for (const workers of ['1', '2']) {
    test(`while queued are cancelled once each, with ${workers} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: workers, MAX_IN_FLIGHT: '24' });
      const running = service.predict(slow(500));
      await inModel(service, 0, 1);
      const gone = Array.from({ length: 20 }, () => new RawClient(service.port));
      for (const client of gone) client.send(post(JSON.stringify(slow(1))));
      await inModel(service, 20, 1);
      for (const client of gone) client[Symbol.dispose]();
      assert.equal((await running).status, 200);
      const page = await settled(service);
      const warmUps = WARM_UP * Number(workers);
      assert.deepEqual(outcomesOf(page, 'slow'), {
        ...{ completed: warmUps + 1, failed: 0, cancelled: 20, expired: 0 },
        ...IDLE,
      });
      assert.deepEqual(responseCounts(page), { 200: 1, 499: 20 });
      // Their permits are released, so the same number of requests is accepted again.
      const again = await Promise.all(Array.from({ length: 24 }, () => service.predict(slow(1))));
      assert.deepEqual(new Set(again.map(({ status }) => status)), new Set([200]));
    });
  }

  test('during a run do not stop it, and the next request succeeds', async () => {
    await using service = await start();
    const client = new RawClient(service.port);
    client.send(post(JSON.stringify(slow(300))));
    await inModel(service, 0, 1);
    client[Symbol.dispose]();
    const next = await service.predict(slow(1));
    assert.equal(next.status, 200);
    const page = await settled(service);
    // The model counts the run as completed, and the edge counts the request as 499.
    assert.deepEqual(outcomesOf(page, 'slow'), {
      ...{ completed: WARM_UP + 2, failed: 0, cancelled: 0, expired: 0 },
      ...IDLE,
    });
    assert.deepEqual(responseCounts(page), { 200: 1, 499: 1 });
  });
});

describe('a deadline', () => {
  test('gets 504 at once, while the run continues', async () => {
    await using service = await start();
    const started = performance.now();
    const late = await service.predict(slow(1000), { 'X-Request-Timeout-Ms': '100' });
    const elapsed = performance.now() - started;
    assert.equal(late.status, 504);
    assert.equal(((await late.json()) as { code: string }).code, 'DEADLINE_EXCEEDED');
    assert.equal(
      await service.metric('millrace_model_running', { model: 'slow' }),
      1,
      'the run goes on',
    );
    assert.ok(elapsed >= 99 && elapsed < 350, `responded after ${elapsed} ms`);
    const page = await settled(service);
    assert.deepEqual(outcomesOf(page, 'slow'), {
      ...{ completed: WARM_UP + 1, failed: 0, cancelled: 0, expired: 0 },
      ...IDLE,
    });
    assert.deepEqual(responseCounts(page), { 504: 1 });
  });

  test('applies to queued requests, too', async () => {
    await using service = await start();
    const running = service.predict(slow(700));
    let stillRunning = true;
    void running.finally(() => {
      stillRunning = false;
    });
    await inModel(service, 0, 1);
    const waiting = Array.from({ length: 8 }, () =>
      service.predict(slow(1), { 'X-Request-Timeout-Ms': '50' }),
    );
    for (const { status } of await Promise.all(waiting)) assert.ok([503, 504].includes(status));
    assert.ok(stillRunning, 'they got their responses while the instance was taken');
    assert.equal((await running).status, 200);
    const page = await settled(service);
    const { completed, failed, cancelled, ...rest } = outcomesOf(page, 'slow');
    assert.deepEqual([completed, failed, cancelled], [WARM_UP + 1, 0, 0]);
    assert.deepEqual(rest, { expired: responseCounts(page)[504] ?? 0, ...IDLE });
  });
});

describe('a run beyond the run limit of its model', () => {
  const MODELS = {
    slow: {
      config: { batching: false, instances: 1, run_limit_ms: 100 },
      versions: { '1': 'test/fixtures/models/slow-loop.onnx' },
    },
  };

  test('gets 504 and is terminated, and the instance continues to work', async () => {
    await using service = await start({}, MODELS);
    for (let i = 0; i < 3; i += 1) {
      const started = performance.now();
      assert.equal((await service.predict(slow(1000))).status, 504);
      assert.ok(performance.now() - started < 350);
      assert.equal((await service.predict(slow(1))).status, 200);
    }
    const page = await settled(service);
    assert.deepEqual(outcomesOf(page, 'slow'), {
      ...{ completed: WARM_UP + 3, failed: 0, cancelled: 0, expired: 3 },
      ...IDLE,
    });
    assert.equal(await service.metric('millrace_model_stuck_instances'), 0);
  });
});

describe('a full queue', () => {
  const LENGTH = 64;
  const MODELS = {
    slow: {
      config: { batching: { maxRows: 1, maxQueue: LENGTH }, instances: 1 },
      versions: { '1': 'test/fixtures/models/slow-loop.onnx' },
    },
  };

  test('sends Retry-After by the measured cost of runs', async () => {
    await using service = await start({}, MODELS);
    const LEARN = 30;
    for (let i = 0; i < LEARN; i += 1) {
      assert.equal((await service.predict(slow(30))).status, 200);
    }
    const taken = [service.predict(slow(300))];
    await inModel(service, 0, 1);
    for (let i = 0; i < LENGTH; i += 1) taken.push(service.predict(slow(30)));
    await inModel(service, LENGTH, 1);
    const refused = await service.predict(slow(30));
    assert.equal(refused.status, 503);
    assert.equal(((await refused.json()) as { code: string }).code, 'OVERLOADED');
    const wait = await service.metric('millrace_model_expected_wait_seconds');
    const cost = await service.metric('millrace_model_batch_cost_mean_seconds', { rows: '1' });
    assert.ok(wait >= 0.9 * LENGTH * cost, `${wait} s for ${LENGTH} runs of ${cost} s`);
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds >= 1 && Math.abs(seconds - wait) < 1.5, `${seconds} s, ${wait} s`);
    for (const { status } of await Promise.all(taken)) assert.equal(status, 200);
    const page = await settled(service);
    assert.equal(await service.metric('millrace_model_requests_total', { outcome: 'rejected' }), 1);
    assert.deepEqual(responseCounts(page), { 200: LEARN + LENGTH + 1, 503: 1 });
  });
});
