import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { ServeError } from '../../../runtime/errors.ts';
import { createLog } from '../../../runtime/log.ts';
import type { Comparison } from '../../../runtime/routing/observer.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { Counters } from '../../../runtime/traffic/counters.ts';
import type { ArmReport } from '../../../runtime/traffic/index.ts';
import { Recorder } from '../../../runtime/traffic/recorder.ts';
import { testStore } from '../../support/store.ts';
import { clear, rejects, TestTraffic } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

const counts = (arms: readonly ArmReport[]) =>
  arms.map(({ arm, version, requests, errors }) => [arm, version, requests, errors]);

const NO_FEEDBACK = { count: 0, accuracy: null, mean_reward: null };

const disagreeing = (period: number): Comparison => ({
  ...{ model: 'iris', arm: 'v1', version: 'v1', period, shadow: 'v3', latencyMs: 2 },
  ...{ failed: false, agrees: false, maxAbsDifference: 0.5 },
  ...{ outputs: { y: [1n] }, shadowOutputs: { y: [2n] }, inputs: { x: ['a\0'] } },
  requestId: 'req_x',
});

describe('the report', () => {
  test('has the counts and quantiles of each arm, and compares them', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    await t.serve('v1', 190, { latencyMs: 10, confidence: 0.75 });
    await t.serve('v1', 10, { latencyMs: 100, failures: 2, confidence: 0.25 });
    await t.serve('v2', 100, { latencyMs: 10, failures: 30 });
    const { arms, pairs } = await t.traffic.experiments('iris');
    assert.deepEqual(counts(arms), [
      ['v1', 'v1', 200, 2],
      ['v2', 'v2', 100, 30],
    ]);
    const [first, second] = arms;
    for (const [actual, expected] of [
      [first!.p50_ms!, 10],
      [first!.p95_ms!, 10],
      [first!.p99_ms!, 100],
      [second!.p99_ms!, 10],
    ] as const) {
      assert.ok(Math.abs(actual / expected - 1) < 0.0111, `${actual} instead of ${expected}`);
    }
    assert.ok(Math.abs(first!.mean_confidence! - 0.725) < 1e-9);
    assert.deepEqual([second!.mean_confidence, second!.agreement], [null, null]);
    assert.deepEqual(first!.feedback, NO_FEEDBACK);
    const [errors, latency, ...more] = pairs;
    assert.deepEqual(more, []);
    assert.deepEqual([errors!.a, errors!.b, errors!.metric], ['v1', 'v2', 'error_rate']);
    assert.ok(Math.abs(errors!.difference - -0.29) < 1e-9 && errors!.p_value < 1e-6);
    assert.match(errors!.sentence, /^'v1' fails less often than 'v2', by 29 % \(95 % interval \d/);
    assert.equal(latency!.metric, 'p99_ratio');
    assert.match(latency!.sentence, /^'v1' is slower than 'v2', by a factor of 9\.\d+ /);
  });

  test('says by what factor an arm is faster', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    await t.serve('v1', 200, { latencyMs: 10 });
    await t.serve('v2', 200, { latencyMs: 40 });
    const { pairs } = await t.traffic.experiments('iris');
    const { sentence } = pairs.find(({ metric }) => metric === 'p99_ratio')!;
    const [size, low, high] = sentence.match(/\d[\d.]*(?= to|\)| \()/g)!.map(Number);
    assert.match(sentence, /^'v1' is faster than 'v2', by a factor of /);
    assert.ok(low! <= size! && size! <= high! && low! > 3.9 && high! < 4.1, sentence);
  });

  test('names arms by their versions where several are stable', async () => {
    await using t = new TestTraffic(store);
    const canary = { version: 'v2', steps: [0.5, 1], bake_seconds: 0, min_requests: 1 };
    await t.put({ weights: { v1: 1, v3: 1 }, canary: { ...canary, guards: {} } });
    for (const version of ['v1', 'v2', 'v3']) await t.serve(version, 10);
    const { arms, pairs } = await t.traffic.experiments('iris');
    assert.deepEqual(
      arms.map(({ arm }) => arm),
      ['stable', 'canary', 'stable'],
    );
    const errors = pairs.filter(({ metric }) => metric === 'error_rate');
    assert.deepEqual(
      errors.map(({ a, b }) => `${a} ${b}`),
      ['v1 canary', 'v1 v3', 'canary v3'],
    );
    assert.match(errors[0]!.sentence, /^'v1' and 'canary' do not differ clearly in the share of/);
  });

  test('joins the periods of a canary, by version', async () => {
    await using t = new TestTraffic(store);
    const canary = { ...{ version: 'v2', steps: [0.5, 1], bake_seconds: 0 }, min_requests: 1 };
    await t.put({ weights: { v1: 1 }, canary: { ...canary, guards: {} } });
    await t.serve('v1', 10);
    await t.serve('v2', 10, { failures: 1 });
    await t.drive(1);
    await t.serve('v2', 5, { failures: 1 });
    const { arms } = await t.traffic.experiments('iris');
    assert.deepEqual(counts(arms), [
      ['stable', 'v1', 10, 0],
      ['canary', 'v2', 15, 2],
    ]);
  });

  test('has the shadow as an arm of its own, with samples of what it disagrees in', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1 }, shadow: { version: 'v3', fraction: 1 } });
    const { period = 0 } = await t.inEffect();
    await t.serve('v1', 130);
    for (let i = 0; i < 130; i += 1) {
      const agrees = i < 10;
      t.traffic.observer.compared({ ...disagreeing(period), agrees, requestId: `req_${i}` });
      if (i === 100) await t.traffic.experiments('iris');
    }
    const { arms, disagreements, pairs } = await t.traffic.experiments('iris');
    assert.deepEqual(counts(arms), [
      ['v1', 'v1', 130, 0],
      ['shadow', 'v3', 130, 0],
    ]);
    assert.deepEqual([arms[1]!.agreement, arms[1]!.max_abs_difference], [10 / 130, 0.5]);
    assert.deepEqual(pairs, [], 'the latency of copies is not compared');
    assert.equal(disagreements.length, 100);
    const { at, ...last } = disagreements.find((each) => each.request_id === 'req_129')!;
    assert.match(at, /^\d{4}-.*Z$/);
    assert.deepEqual(last, {
      ...{ request_id: 'req_129', version: 'v1', shadow: 'v3', max_abs_difference: 0.5 },
      ...{ outputs: { y: ['1'] }, shadow_outputs: { y: ['2'] }, inputs: { x: ['a\uFFFD'] } },
    });
  });

  test('a model without a split has no arms', async () => {
    await using t = new TestTraffic(store);
    assert.deepEqual(await t.traffic.experiments('iris'), { ...EMPTY });
  });
});

const EMPTY = { arms: [], pairs: [], disagreements: [] };

describe('an experiment', () => {
  test('begins anew with other weights, and what was counted before is gone', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    const [requestId = ''] = await t.serve('v1', 10);
    await t.traffic.experiments('iris');
    // These were given to an arm of the old route and are written after the change.
    await t.serve('v1', 10);
    await t.put({ weights: { v1: 1, v2: 2 } });
    assert.deepEqual(await t.traffic.experiments('iris'), EMPTY);
    await t.serve('v2', 3);
    await t.put({ weights: { v2: 2, v1: 1 }, sticky: { header: 'x' } });
    assert.deepEqual(counts((await t.traffic.experiments('iris')).arms), [['v2', 'v2', 3, 0]]);
    await rejects(t.traffic.report({ requestId, reward: 1 }), 'NOT_FOUND', /the present route/);
  });

  test('of a route in ROUTING_FILE is counted, too', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1 } });
    t.file = { iris: { weights: { v1: 1, v2: 1 } }, other: { weights: { v1: 1, v2: 1 } } };
    await t.serve('v1', 4);
    await t.serve('v2', 5, { model: 'other' });
    assert.deepEqual(counts((await t.traffic.experiments('iris')).arms), [['v1', 'v1', 4, 0]]);
    assert.deepEqual(counts((await t.traffic.experiments('other')).arms), [['v2', 'v2', 5, 0]]);
  });

  test('counts the requests of all threads exactly', async () => {
    await using t = new TestTraffic(store);
    const second = t.another();
    await t.put({ weights: { v1: 1, v2: 1 } });
    for (let round = 0; round < 5; round += 1) {
      await t.serve('v1', 100, { failures: 1 });
      await t.serve('v1', 50, { latencyMs: 3 }, second.observer);
      await Promise.all([t.traffic.experiments('iris'), second.experiments('iris')]);
    }
    await second.close();
    const { arms } = await t.traffic.experiments('iris');
    assert.deepEqual(counts(arms), [['v1', 'v1', 750, 5]]);
    const [stored] = await store.query<{ total: number }>(
      'select sum(requests)::int as total from arm_latencies',
    );
    assert.equal(stored?.total, 750);
  });
});

/** A store that fails after, or before, each transaction as often as it is told. */
function failing(fails: ('before' | 'after' | 'wrongly')[]): Store {
  const lost = () => new ServeError('STORE_UNAVAILABLE', 'The database does not answer.');
  return {
    ...{ kind: store.kind, listen: store.listen, tryLock: store.tryLock, close: store.close },
    query: (text, values) => store.query(text, values),
    async transaction(work) {
      const fault = fails.shift();
      if (fault === 'before') throw lost();
      if (fault === 'wrongly') throw new ServeError('INTERNAL', 'The statement failed.');
      const result = await store.transaction(work);
      if (fault === 'after') throw lost();
      return result;
    },
  };
}

test('what is written in a transaction whose end is unknown is counted once', async () => {
  await using t = new TestTraffic(store);
  await t.put({ weights: { v1: 1, v2: 1 } });
  const fails: ('before' | 'after' | 'wrongly')[] = ['after', 'before', 'after', 'after'];
  const recorder = new Recorder(failing(fails), createLog('silent'));
  for (let round = 0; round < 6; round += 1) {
    await t.serve('v1', 10, {}, recorder.counters);
    await recorder.flush();
  }
  await recorder.flush();
  assert.deepEqual(fails, []);
  assert.deepEqual(counts((await t.traffic.experiments('iris')).arms), [['v1', 'v1', 60, 0]]);
});

test('a batch that the database refuses does not hold up the next ones', async () => {
  await using t = new TestTraffic(store);
  await t.put({ weights: { v1: 1, v2: 1 } });
  const recorder = new Recorder(failing(['wrongly']), createLog('silent'));
  await t.serve('v1', 10, {}, recorder.counters);
  await recorder.flush();
  await t.serve('v1', 20, {}, recorder.counters);
  await recorder.flush();
  assert.deepEqual(counts((await t.traffic.experiments('iris')).arms), [['v1', 'v1', 20, 0]]);
});

describe('feedback', () => {
  const feedback = async (t: TestTraffic) =>
    (await t.traffic.experiments('iris')).arms[0]!.feedback;

  test('counts predictions that were right, and rewards', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    const [a, b, c] = await t.serve('v1', 3, { prediction: 'setosa' });
    assert.deepEqual(await t.traffic.report({ requestId: a!, truth: 'setosa' }), {
      ...{ model: 'iris', version: 'v1', arm: 'v1' },
    });
    await t.traffic.report({ requestId: b!, truth: 'virginica', reward: 3 });
    await t.traffic.report({ requestId: c!, reward: 1 });
    assert.deepEqual(await feedback(t), { count: 3, accuracy: 0.5, mean_reward: 2 });
  });

  test('of several reports about one request the last counts', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    const [requestId = ''] = await t.serve('v1', 1, { prediction: 1 });
    await t.traffic.report({ requestId, truth: 2, reward: 5 });
    assert.deepEqual(await feedback(t), { count: 1, accuracy: 0, mean_reward: 5 });
    await t.traffic.report({ requestId, truth: '1' });
    await t.traffic.report({ requestId, reward: -1 });
    assert.deepEqual(await feedback(t), { count: 1, accuracy: 1, mean_reward: -1 });
  });

  test('of many rows has a truth for each', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    const [rows = ''] = await t.serve('v1', 1, { prediction: ['a', 'b', 'b'] });
    const [none = ''] = await t.serve('v1', 1);
    const report = (requestId: string, truth: unknown) => t.traffic.report({ requestId, truth });
    await rejects(
      report(rows, ['a', 'b']),
      'INVALID_ARGUMENT',
      /has 3 predictions, and truth has 2/,
    );
    await rejects(report(rows, 'a'), 'INVALID_ARGUMENT', /and truth has 1/);
    await rejects(report(none, 'a'), 'INVALID_ARGUMENT', /has no prediction that is kept/);
    await report(rows, ['a', 'b', 'c']);
    assert.deepEqual(await feedback(t), { count: 1, accuracy: 2 / 3, mean_reward: null });
  });

  test('finds a request that another thread has served a moment ago', async () => {
    await using t = new TestTraffic(store);
    await t.put({ weights: { v1: 1, v2: 1 } });
    const second = t.another();
    const [requestId = ''] = await t.serve('v1', 1, {}, second.observer);
    const report = t.traffic.report({ requestId, reward: 1 });
    await second.close();
    assert.equal((await report).version, 'v1');
  });

  test('about an unknown request is refused', async () => {
    await using t = new TestTraffic(store);
    const report = t.traffic.report({ requestId: 'req_none', reward: 1 });
    await rejects(report, 'NOT_FOUND', /There is no such request_id/);
  });
});

test('what is stored about requests is deleted when it is old, and inputs when they are not kept', async () => {
  await using t = new TestTraffic(store);
  await t.put({ weights: { v1: 1 }, shadow: { version: 'v3', fraction: 1 } });
  const { period = 0 } = await t.inEffect();
  const [requestId = ''] = await t.serve('v1', 2);
  t.traffic.observer.compared(disagreeing(period));
  await t.drive(0);
  await store.query(`update answers set answered_at = now() - interval '2 hours'
    where request_id = '${requestId}'`);
  await t.drive(0);
  const left = async () =>
    store.query(
      'select request_id, (select count(*)::int from disagreements where inputs is not null) as inputs from answers',
    );
  assert.equal((await left()).length, 2, 'not again within a minute');
  await t.drive(60);
  assert.deepEqual(await left(), [{ request_id: 'req_2', inputs: 1 }]);
  await t.traffic.close();
  const other = t.another({ feedbackTtlSecs: 3600, shadowKeepInputs: false });
  await other.lead();
  assert.deepEqual(await left(), [{ request_id: 'req_2', inputs: 0 }]);
  await other.close();
});

test('old requests are deleted however many there are', async () => {
  await using t = new TestTraffic(store);
  await store.query(
    `insert into answers (request_id, model, period, arm, version, answered_at)
     select 'old_' || i, 'iris', 0, 'v1', 'v1', now() - interval '2 hours'
     from generate_series(1, 10001) as i`,
  );
  await t.drive(0);
  const left = await store.query("select request_id from answers where request_id like 'old\\_%'");
  assert.deepEqual(left, []);
});

test('requests beyond what is recorded at once are counted, but take no feedback', () => {
  const counters = new Counters();
  const request = {
    ...{ model: 'iris', requestId: 'req_1', arm: 'v1', version: 'v1', period: 1, latencyMs: 1 },
    ...{ failed: false, confidence: undefined, prediction: 1 },
  };
  const recorded = (count: number) => {
    for (let i = 0; i < count; i += 1) counters.observe(request);
    const { arms, answers } = counters.take()!;
    assert.deepEqual([arms.length, arms[0]?.requests], [1, count]);
    return answers.length;
  };
  assert.equal(recorded(10_500), 10_000);
  assert.equal(recorded(500), 0, 'those of one second, however often they are written');
  counters.makeRoom();
  assert.equal(recorded(500), 100, 'those of the next second');
  counters.makeRoom();
  assert.equal(recorded(50), 50);
});

test('many requests are written at once', async () => {
  await using t = new TestTraffic(store);
  await t.put({ weights: { v1: 1, v2: 1 } });
  await t.serve('v1', 2500);
  assert.deepEqual(counts((await t.traffic.experiments('iris')).arms), [['v1', 'v1', 2500, 0]]);
  const [written] = await store.query<{ count: number }>('select count(*)::int from answers');
  assert.equal(written?.count, 2500);
});
