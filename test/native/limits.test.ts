/** @module Limits of a model: the time of a run, the policy, instances and weight; and when to retry. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, describe, test } from 'node:test';
import type { BatchingOptions, LoadOptions, Model } from '../../native/index.ts';
import {
  fixture,
  float32,
  loop,
  occupy,
  open,
  refused,
  tensor,
  unmeasured,
  until,
  withModel,
} from './support.ts';

const engine = open();
after(() => engine.close());

const LIMIT_MS = 100;
/** Turns that take several times the limit. */
const TOO_MANY = 1_000_000;

const limited = (body: (model: Model) => unknown, options: LoadOptions = {}) =>
  withModel(engine, 'slow-loop', body, { instances: 1, runLimitMs: LIMIT_MS, ...options });

describe('runLimitMs', () => {
  test('rejects the requests of an overdue run at once, and its instance serves again afterwards', () =>
    limited(async (model) => {
      const started = performance.now();
      await refused(loop(model, TOO_MANY), 'DEADLINE_EXCEEDED', /took longer than a run/);
      const took = performance.now() - started;
      assert.ok(took >= LIMIT_MS - 1 && took < LIMIT_MS + 250, `rejected after ${took} ms`);
      await loop(model, 1);
      await until(() => model.stats().running === 0);
      const { expired, completed, stuckInstances } = model.stats();
      assert.deepEqual(
        { expired, completed, stuckInstances },
        { expired: 1, completed: 1, stuckInstances: 0 },
      );
    }));

  test('applies to every request of the run, and to none that is queued behind it', () =>
    limited(
      async (model) => {
        const first = refused(loop(model, TOO_MANY), 'DEADLINE_EXCEEDED');
        await until(() => model.stats().running + model.stats().expired === 1);
        // These wait for the first run, and share the next one.
        const batched = [1, 2, 3].map(() => refused(loop(model, TOO_MANY), 'DEADLINE_EXCEEDED'));
        const behind = [1, 2, 3].map(() => loop(model, 1));
        await Promise.all([first, ...batched, ...behind]);
        await until(() => model.stats().running === 0);
        const { expired, completed, batches } = model.stats();
        assert.deepEqual({ expired, completed, batches }, { expired: 4, completed: 3, batches: 3 });
      },
      { batching: { maxRows: 3 }, ...unmeasured },
    ));

  test('does not affect shorter runs', () =>
    limited(async (model) => {
      for (let i = 0; i < 20; i++) await loop(model, 100);
      assert.equal(model.stats().completed, 20);
    }));

  test('is not a deadline: requests may wait longer', () =>
    limited(
      async (model) => {
        const runs = await Promise.all(Array.from({ length: 100 }, () => loop(model, 15_000)));
        const longest = Math.max(...runs.map(({ timings }) => timings.queueMs));
        assert.ok(longest > 500, `the longest wait was ${longest} ms`);
        assert.equal(model.stats().completed, 100);
      },
      // The limit is many times the time of a run, so that runs stay below it on a busy machine.
      { batching: { maxRows: 1 }, runLimitMs: 500 },
    ));

  test('a deadline or an abort that comes first rejects first, and no request settles twice', () =>
    limited(async (model) => {
      const reason = { why: 'the caller left' };
      const controller = new AbortController();
      const aborted = loop(model, TOO_MANY, { signal: controller.signal });
      await until(() => model.stats().running === 1);
      controller.abort(reason);
      await assert.rejects(aborted, reason);
      await until(() => model.stats().running === 0);
      const late = loop(model, TOO_MANY, { timeoutMs: LIMIT_MS * 100 });
      await refused(late, 'DEADLINE_EXCEEDED', /took longer than a run/);
      await loop(model, 1);
    }));

  test('an instance counts as stuck while its overdue run cannot be terminated', () =>
    withModel(
      engine,
      'reduce-mean-image',
      async (model) => {
        const rows = 128;
        // The run is one node, which continues. How long the instance is stuck depends on the machine, so there are
        // several attempts.
        let seen = false;
        for (let attempt = 0; attempt < 20 && !seen; attempt++) {
          const data = new Float32Array(rows * 3 * 224 * 224);
          const x = tensor('float32', [rows, 3, 224, 224], data);
          model.run({ x }, { transfer: true }).catch(() => {});
          await until(() => {
            const { stuckInstances, running, queued } = model.stats();
            seen ||= stuckInstances === 1;
            return running + queued === 0;
          });
        }
        assert.ok(seen, 'no instance was ever stuck');
        assert.equal(model.stats().stuckInstances, 0);
      },
      { runLimitMs: 2, instances: 1, warmupMs: 0, batching: { maxRows: 128 } },
    ));

  test('a model closes during an overdue run', async () => {
    const path = fixture('slow-loop');
    const model = await engine.load({ path, instances: 1, runLimitMs: LIMIT_MS });
    const run = refused(loop(model, TOO_MANY), 'DEADLINE_EXCEEDED');
    await until(() => model.stats().running === 1);
    await model.close();
    await run;
  });

  test('a run may take any time if there is no limit', () =>
    withModel(engine, 'slow-loop', (model) => loop(model, 300_000)));

  for (const runLimitMs of [0, 0.5, -1, Number.NaN, 86_400_001]) {
    test(`${runLimitMs} is refused`, async () => {
      const load = engine.load({ path: fixture('slow-loop'), runLimitMs });
      await refused(load, 'INVALID_ARGUMENT', /runLimitMs is .*: expected a number from 1 to/);
    });
  }
});

/** Lets a model with one instance measure runs of `turns` turns. @returns their mean time, milliseconds */
async function measured(model: Model, turns: number): Promise<number> {
  await loop(model, turns);
  await loop(model, turns);
  await until(() => model.stats().costs.length > 0);
  return model.stats().costs[0]!.meanMs;
}

const oneInstance: LoadOptions = { instances: 1, warmupMs: 0, inline: false };

describe('retryAfterMs', () => {
  test('says when a request to a full queue should be sent again', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const meanMs = await measured(model, 100_000);
        const { done } = await occupy(model, 100_000);
        const queued = loop(model, 100_000);
        const { retryAfterMs } = await refused(loop(model, 1), 'UNAVAILABLE', /try again later/);
        // The delay covers the queued request and the rest of the run.
        assert.ok(
          retryAfterMs! >= 0.5 * meanMs && retryAfterMs! < 4 * meanMs,
          `${retryAfterMs} ms`,
        );
        await Promise.all([done, queued]);
      },
      { ...oneInstance, batching: { maxQueue: 1, maxRows: 1 } },
    ));

  test('is set although nothing has been measured', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const { done } = await occupy(model);
        const queued = loop(model, 1);
        const { retryAfterMs } = await refused(loop(model, 1), 'UNAVAILABLE');
        assert.ok(retryAfterMs! > 0 && Number.isFinite(retryAfterMs));
        await Promise.all([done, queued]);
      },
      { ...oneInstance, batching: { maxQueue: 1 } },
    ));

  test('is set if the run in progress leaves too little time for the deadline', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const meanMs = await measured(model, 200_000);
        const { done } = await occupy(model, 200_000);
        const run = loop(model, 1, { timeoutMs: meanMs * 1.1 });
        const { retryAfterMs } = await refused(run, 'UNAVAILABLE', /too long for the time allowed/);
        assert.ok(retryAfterMs! > 0 && retryAfterMs! < 2 * meanMs, `${retryAfterMs} ms`);
        assert.ok(model.stats().expectedWaitMs <= 2 * meanMs);
        await done;
      },
      oneInstance,
    ));

  test('is not set if the run alone takes longer than the deadline', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const meanMs = await measured(model, 100_000);
        const run = loop(model, 1, { timeoutMs: meanMs / 2 });
        const { retryAfterMs } = await refused(run, 'DEADLINE_EXCEEDED', /takes longer/);
        assert.equal(retryAfterMs, undefined);
        assert.equal(model.stats().rejected, 1);
      },
      oneInstance,
    ));

  test('is not set with other errors', () =>
    withModel(engine, 'identity-float32', async (model) => {
      const error = await refused(model.run({}), 'INVALID_ARGUMENT');
      assert.equal(error.retryAfterMs, undefined);
    }));
});

const withPolicy = (batching: BatchingOptions, body: (model: Model) => unknown) =>
  withModel(engine, 'identity-float32', body, { batching, ...unmeasured });

describe('policies', () => {
  const all: readonly BatchingOptions[] = [
    {},
    { policy: 'excess' },
    { policy: 'busy' },
    { policy: 'timer' },
    { maxDelayMs: 5 },
    { policy: 'timer', maxDelayMs: 5 },
    { policy: 'busy', maxDelayMs: 5 },
    { policy: 'excess', maxDelayMs: 5 },
  ];
  for (const batching of all) {
    test(`${JSON.stringify(batching)}: every request gets its own rows`, () =>
      withPolicy({ maxRows: 16, ...batching }, async (model) => {
        // The clients send their next requests at once, which is where the policies differ.
        const client = async (number: number) => {
          for (let turn = 0; turn < 20; turn++) {
            const x = float32([number, turn, number * turn]);
            assert.deepEqual((await model.run({ x })).outputs.y, x);
          }
        };
        await Promise.all(Array.from({ length: 20 }, (_, number) => client(number)));
        const { completed, returningShare } = model.stats();
        assert.equal(completed, 400);
        assert.ok(returningShare >= 0 && returningShare <= 1, `${returningShare}`);
      }));
  }

  const x = float32([1, 2, 3]);
  for (const batching of [{ maxDelayMs: 60 }, { maxDelayMs: 60, policy: 'timer' }] as const) {
    test(`${JSON.stringify(batching)}: a lone request waits for others`, () =>
      withPolicy(batching, async (model) => {
        const { timings } = await model.run({ x });
        assert.ok(timings.queueMs >= 59, `${timings.queueMs} ms`);
      }));
  }

  for (const policy of ['busy', 'excess'] as const) {
    test(`${policy}: a lone request does not wait, whatever the delay`, () =>
      withPolicy({ policy, maxDelayMs: 60_000 }, (model) => model.run({ x })));
  }

  test('timer: a full batch does not wait', () =>
    withPolicy({ maxRows: 4, maxDelayMs: 60_000 }, async (model) => {
      const runs = await Promise.all([1, 2, 3, 4].map(() => model.run({ x })));
      for (const { timings } of runs) assert.equal(timings.batchRequests, 4);
    }));

  for (const policy of ['fifo', '', 'toString', 'Busy', 1]) {
    test(`${JSON.stringify(policy)} is refused`, async () => {
      const batching = { policy } as BatchingOptions;
      const load = engine.load({ path: fixture('identity-float32'), batching });
      const sentence = `batching.policy is ${policy}: expected excess, busy or timer`;
      await refused(load, 'INVALID_ARGUMENT', new RegExp(sentence));
    });
  }
});

describe('instances', () => {
  test('are as many as requested', () =>
    withModel(engine, 'identity-float32', (model) => assert.equal(model.instances, 3), {
      instances: 3,
    }));

  test('are chosen by measurement by default, and leave JavaScript a core', () =>
    withModel(engine, 'identity-float32', ({ instances }) => {
      const most = Math.max(availableParallelism(), 2) - 1;
      assert.ok(instances >= 1 && instances <= most, `${instances} instances`);
    }));
});

describe('weight', () => {
  test('models of any weight serve side by side', async () => {
    const path = fixture('identity-float32');
    const weights = [0.001, 1, 1000];
    const models = await Promise.all(weights.map((weight) => engine.load({ path, weight })));
    const x = float32([1, 2, 3]);
    const runs = models.flatMap((model) => Array.from({ length: 100 }, () => model.run({ x })));
    for (const { outputs } of await Promise.all(runs)) assert.deepEqual(outputs.y, x);
    await Promise.all(models.map((model) => model.close()));
  });

  for (const weight of [0, -1, Number.NaN, 1001, Number.POSITIVE_INFINITY, '2']) {
    test(`${JSON.stringify(weight)} is refused`, async () => {
      const options = { path: fixture('identity-float32'), weight } as LoadOptions;
      const sentence = `weight is ${weight}: expected a number from 0.001 to 1000`;
      await refused(engine.load(options), 'INVALID_ARGUMENT', new RegExp(sentence));
    });
  }
});
