/** @module The traffic of models over each database, with two processes on it where there can be two. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createLog } from '../../runtime/log.ts';
import { openStore, type Store } from '../../runtime/store/index.ts';
import { ANN, rejects, TestTraffic } from '../runtime/traffic/support.ts';
import { type TemporaryFiles, temporaryFiles } from '../support/files.ts';
import { noPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { testStore } from '../support/store.ts';

const SETTINGS = { feedbackTtlSecs: 3600, shadowKeepInputs: true };

let server: TestPostgres;
let folder: TemporaryFiles;
before(async () => {
  folder = temporaryFiles({});
  if (noPostgres === false) server = await startPostgres();
});
after(async () => {
  folder[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Opens the database twice, as two processes do, or twice the same. */
const databases: Readonly<Record<string, { skip: string | false; open(): Promise<Store[]> }>> = {
  PostgreSQL: {
    skip: noPostgres,
    async open() {
      const config = { databaseUrl: await server.createDatabase(), stateDir: folder.path };
      const log = createLog('silent');
      return [await openStore(config, log), await openStore(config, log)];
    },
  },
  PGlite: {
    skip: false,
    async open() {
      const store = await testStore();
      return [store, store];
    },
  },
};

for (const [name, { skip, open }] of Object.entries(databases)) {
  describe(name, { skip }, () => {
    let stores: Store[];
    let t: TestTraffic;
    before(async () => {
      stores = await open();
      t = new TestTraffic(stores[0]!);
    });
    after(async () => {
      await t.traffic.close();
      for (const store of new Set(stores)) await store.close();
    });

    test('counts what threads of two processes write at the same time, exactly', async () => {
      await t.put({ weights: { v1: 1, v2: 1 } });
      const threads = [0, 1, 0, 1, 0, 1].map((i) => t.another(SETTINGS, stores[i]!));
      for (let round = 0; round < 5; round += 1) {
        for (const { observer } of threads) {
          await t.serve('v1', 20, { latencyMs: 1 + round, failures: 1 }, observer);
          await t.serve('v2', 30, { latencyMs: 5, prediction: `a\0${round}` }, observer);
        }
        await Promise.all(threads.map((thread) => thread.experiments('iris')));
      }
      await Promise.all(threads.map((thread) => thread.close()));
      const { arms } = await t.traffic.experiments('iris');
      assert.deepEqual(
        arms.map(({ version, requests, errors }) => [version, requests, errors]),
        [
          ['v1', 600, 30],
          ['v2', 900, 0],
        ],
      );
    });

    test('joins an outcome that another process has served', async () => {
      const other = t.another(SETTINGS, stores[1]!);
      const [requestId = ''] = await t.serve('v2', 1, { prediction: [1, 2] });
      const report = other.report({ requestId, truth: [1, 3], reward: 0.5 });
      await t.traffic.experiments('iris');
      assert.equal((await report).version, 'v2');
      const { arms } = await other.experiments('iris');
      assert.deepEqual(arms[1]!.feedback, { count: 1, accuracy: 0.5, mean_reward: 0.5 });
      await other.close();
    });

    test('makes one of several changes that expect the same revision', async () => {
      const { revision } = await t.traffic.route('iris');
      const changes = ['v1', 'v2', 'v3', 'v1'].map((version, i) =>
        t
          .another(SETTINGS, stores[i % 2]!)
          .putRoute('iris', { weights: { [version]: 1 + i } }, ANN, [revision]),
      );
      const results = await Promise.allSettled(changes);
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    });

    test('drives a canary in one process, and after its end in the other', async () => {
      const canary = { version: 'v2', steps: [0.5, 1], bake_seconds: 0, min_requests: 50 };
      await t.put({ weights: { v1: 1 }, canary: { ...canary, guards: { error_rate: 0.01 } } });
      const other = t.another(SETTINGS, stores[1]!);
      const serve = async () => {
        await t.serve('v1', 50);
        await t.serve('v2', 50);
        await t.traffic.experiments('iris');
      };
      await serve();
      await Promise.all([t.traffic.lead(), other.lead()]);
      await Promise.all([t.traffic.lead(), other.lead()]);
      assert.equal((await other.route('iris')).canary?.step, 1);
      await serve();
      await t.traffic.close();
      await other.lead();
      const { weights, canary: ended } = await other.route('iris');
      assert.deepEqual([weights, ended?.state], [{ v2: 1 }, 'promoted']);
      await other.close();
    });

    test('keeps samples of disagreements, and deletes the route with all that was counted', async () => {
      await t.put({ weights: { v1: 1 }, shadow: { version: 'v3', fraction: 1 } });
      const { period = 0 } = await t.inEffect();
      for (let i = 0; i < 3; i += 1) {
        t.traffic.observer.compared({
          ...{ model: 'iris', requestId: `req_d${i}`, arm: 'v1', version: 'v1', period },
          ...{ shadow: 'v3', latencyMs: 1, failed: false, agrees: i === 0 },
          ...{ maxAbsDifference: i, outputs: { y: [i] }, shadowOutputs: { y: [0] } },
          inputs: { x: [9_007_199_254_740_993n, '\uD800'] },
        });
      }
      const { arms, disagreements } = await t.traffic.experiments('iris');
      assert.deepEqual([arms[0]!.agreement, arms[0]!.max_abs_difference], [1 / 3, 2]);
      assert.deepEqual(disagreements.map(({ inputs }) => inputs)[0], {
        x: ['9007199254740993', '\uFFFD'],
      });
      assert.equal(disagreements.length, 2);
      await t.traffic.lead();
      await t.traffic.deleteRoute('iris', ANN, undefined);
      const empty = { arms: [], pairs: [], disagreements: [] };
      assert.deepEqual(await t.traffic.experiments('iris'), empty);
      await rejects(t.traffic.steer('iris', 'pause', ANN, undefined), 'NOT_FOUND', /no canary/);
    });
  });
}
