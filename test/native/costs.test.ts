/** @module Measured costs: how a load gets them, and the file that keeps them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { CostPoint, LoadOptions } from '../../native/index.ts';
import { fixture, float32, open, refused, withModel } from './support.ts';

const engine = open();
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-costs-'));
after(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

let files = 0;
const newFile = () => path.join(folder, `${files++}`, 'costs.json');

const batching = { maxRows: 8 };
const unmeasured = { batching, warmupMs: 0 };

/** The costs a load starts with. */
async function costsOf(options: Omit<LoadOptions, 'path'>, name = 'identity-float32') {
  const model = await engine.load({ path: fixture(name), ...options });
  const { costs } = model.stats();
  await model.close();
  return costs;
}

const points = (costs: readonly CostPoint[]) =>
  costs.map(({ rows, meanMs, highMs }) => ({ rows, meanMs, highMs }));

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

function assertClose(actual: readonly CostPoint[], expected: readonly CostPoint[]) {
  assert.deepEqual(
    actual.map(({ rows }) => rows),
    expected.map(({ rows }) => rows),
  );
  for (const [index, { meanMs, highMs }] of points(actual).entries()) {
    // The file and the engine convert the times to nanoseconds and back.
    assert.ok(Math.abs(meanMs - expected[index]!.meanMs) < 1e-9);
    assert.ok(Math.abs(highMs - expected[index]!.highMs) < 1e-9);
  }
}

describe('warm-up', () => {
  test('measures each size before the model is ready', async () => {
    const costs = await costsOf({ batching });
    assert.deepEqual(
      costs.map(({ rows }) => rows),
      [1, 2, 4, 8],
    );
    for (const { meanMs, highMs, samples } of costs) {
      assert.ok(meanMs > 0 && highMs >= meanMs && samples >= 1);
    }
  });

  test('does not appear in the statistics', () =>
    withModel(engine, 'identity-float32', (model) => {
      const { submitted, batches, rows, queue, compute } = model.stats();
      assert.deepEqual([submitted, batches, rows, queue.count, compute.count], [0, 0, 0, 0, 0]);
    }));

  test('measures nothing with a time of 0, and requests then update the costs', () =>
    withModel(
      engine,
      'identity-float32',
      async (model) => {
        assert.deepEqual(model.stats().costs, []);
        assert.equal(model.stats().expectedWaitMs, 0);
        const x = float32([1, 2, 3]);
        // The cost of a run is recorded when the next batch is formed.
        await model.run({ x });
        await model.run({ x });
        const { costs } = model.stats();
        assert.equal(costs.length, 1);
        assert.equal(costs[0]!.rows, 1);
      },
      { ...unmeasured, inline: false },
    ));

  test('a model that is not batched has one size', async () => {
    for (const name of ['static-batch', 'scalar', 'cross-row']) {
      const costs = await costsOf({}, name);
      assert.deepEqual(
        costs.map(({ rows }) => rows),
        [1],
      );
    }
  });

  for (const warmupMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 600_001]) {
    test(`warmupMs: ${warmupMs} is refused`, async () => {
      const load = engine.load({ path: fixture('identity-float32'), warmupMs });
      await refused(load, 'INVALID_ARGUMENT', /warmupMs is .*: expected a number from 0 to 600000/);
    });
  }
});

describe('the cost file', () => {
  test('is written on close and read by the next load', async () => {
    const costFile = newFile();
    const first = await costsOf({ batching, costFile });
    assert.equal(first.length, 4);
    assertClose(read(costFile).costs, first);
    const second = await costsOf({ ...unmeasured, costFile });
    assertClose(second, first);
  });

  test('is the only file left in its folder', async () => {
    const costFile = newFile();
    await costsOf({ batching, costFile });
    assert.deepEqual(readdirSync(path.dirname(costFile)), ['costs.json']);
  });

  test('serves a load from bytes too', async () => {
    const costFile = newFile();
    await costsOf({ batching, costFile });
    const bytes = new Uint8Array(readFileSync(fixture('identity-float32')));
    const model = await engine.load({ bytes, ...unmeasured, costFile });
    assert.equal(model.stats().costs.length, 4);
    await model.close();
  });

  test('is used for any options that do not change the costs', async () => {
    const costFile = newFile();
    await costsOf({ batching, costFile });
    const other = { ...unmeasured, costFile, weight: 2, runLimitMs: 5000, instances: 2 };
    assert.equal((await costsOf(other)).length, 4);
  });

  test('of another model or thread count is not used', async () => {
    const costFile = newFile();
    await costsOf({ batching, costFile });
    const content = read(costFile);
    const terms = { ...unmeasured, costFile };
    assert.deepEqual(await costsOf(terms, 'identity-int64'), []);
    writeFileSync(costFile, JSON.stringify(content));
    assert.deepEqual(await costsOf({ ...terms, intraOpThreads: 2 }), []);
    writeFileSync(costFile, JSON.stringify(content));
    assert.equal((await costsOf(terms)).length, 4);
  });

  const point = { rows: 4, meanMs: 1, highMs: 1, samples: 1 };
  const damage: Readonly<Record<string, (key: string) => string>> = {
    'is empty': () => '',
    'is not JSON': () => '{"key": ',
    'is null': () => 'null',
    'is a list': () => '[]',
    'has no costs': (key) => JSON.stringify({ key }),
    'has costs that are not a list': (key) => JSON.stringify({ key, costs: { length: 3 } }),
    'has invalid points': (key) => JSON.stringify({ key, costs: [null, point] }),
    'has a string for a number': (key) => JSON.stringify({ key, costs: [{ ...point, rows: '4' }] }),
    'has negative times': (key) => JSON.stringify({ key, costs: [{ ...point, meanMs: -1 }] }),
    'has infinite times': (key) =>
      `{"key": ${JSON.stringify(key)}, "costs": [{"rows": 4, "meanMs": 1e999, "highMs": 1e999}]}`,
    'has a high below the mean': (key) =>
      JSON.stringify({ key, costs: [{ ...point, highMs: 0.5 }] }),
    'has a foreign key': () => JSON.stringify({ key: 'foreign', costs: [point] }),
  };
  for (const [what, content] of Object.entries(damage)) {
    test(`that ${what} is ignored, and replaced`, async () => {
      const costFile = newFile();
      await costsOf({ batching, costFile });
      const { key } = read(costFile);
      writeFileSync(costFile, content(key));
      assert.deepEqual(await costsOf({ ...unmeasured, costFile }), []);
      assert.deepEqual(read(costFile), { key, costs: [] });
      writeFileSync(costFile, content(key));
      assert.equal((await costsOf({ batching, costFile })).length, 4, 'measured anew');
    });
  }

  test('is written by several models at once', async () => {
    const costFile = newFile();
    const terms = { path: fixture('identity-float32'), batching, costFile };
    const models = await Promise.all(Array.from({ length: 8 }, () => engine.load(terms)));
    await Promise.all(models.map((model) => model.close()));
    assert.equal(read(costFile).costs.length, 4);
    assert.deepEqual(readdirSync(path.dirname(costFile)), ['costs.json']);
  });

  test('that cannot be written fails the close, and nothing else', async () => {
    const blocked = path.join(folder, 'file');
    writeFileSync(blocked, '');
    const own = open();
    const costFile = path.join(blocked, 'costs.json');
    const model = await own.load({ path: fixture('identity-float32'), costFile });
    const other = await own.load({ path: fixture('identity-int64') });
    await refused(model.close(), 'FAILED_PRECONDITION', /Cannot write the cost file/);
    assert.equal(model.closed, true);
    await own.load({ path: fixture('identity-float32'), costFile });
    await refused(own.close(), 'FAILED_PRECONDITION', /Cannot write the cost file/);
    assert.equal(other.closed, true);
  });
});

describe('a cache of costs', () => {
  const cached = (extra: Partial<LoadOptions> = {}) => {
    const cacheDir = path.join(folder, `${files++}`);
    const notices: string[] = [];
    const notice = (sentence: string) => void notices.push(sentence);
    return { cacheDir, notices, options: { batching, cacheDir, notice, ...extra } };
  };
  const filesOf = (cacheDir: string) => readdirSync(path.join(cacheDir, 'costs'));

  test('is written as soon as the model has been measured', async () => {
    const { cacheDir, notices, options } = cached();
    const model = await engine.load({ path: fixture('identity-float32'), ...options });
    const [file] = filesOf(cacheDir);
    assert.deepEqual(
      read(path.join(cacheDir, 'costs', file!)).costs.map(({ rows }: CostPoint) => rows),
      [1, 2, 4, 8],
    );
    await model.close();
    assert.deepEqual(notices, []);
  });

  test('has a file for each model and number of threads, whatever the other options are', async () => {
    const { cacheDir, options } = cached();
    await costsOf(options);
    await costsOf({ ...options, weight: 2 });
    assert.equal(filesOf(cacheDir).length, 1);
    await costsOf({ ...options, intraOpThreads: 2 });
    await costsOf(options, 'identity-float64');
    assert.equal(filesOf(cacheDir).length, 3);
  });

  test('a damaged file is ignored with a notice, and replaced', async () => {
    const { cacheDir, notices, options } = cached();
    await costsOf(options);
    const file = path.join(cacheDir, 'costs', filesOf(cacheDir)[0]!);
    writeFileSync(file, '{"key":');
    const costs = await costsOf(options);
    assert.equal(costs.length, 4);
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /damaged/);
    assert.equal(read(file).costs.length, 4);
  });

  test('a folder that cannot be written only causes a notice', async () => {
    const { cacheDir, notices, options } = cached();
    writeFileSync(cacheDir, 'a file');
    assert.equal((await costsOf(options)).length, 4);
    assert.ok(notices.length > 0 && notices.every((text) => /Cannot write/.test(text)));
  });
});

describe('inline runs', () => {
  for (const [name, allowed] of [
    ['static-batch', true],
    ['identity-int64', true],
    ['dynamic-axes', false],
    ['slow-loop', false],
    // Integers that do not belong to a row may be sizes.
    ['ratio', false],
  ] as const) {
    test(`of ${name} are ${allowed ? 'allowed if they are fast' : 'never allowed'}`, () =>
      withModel(engine, name, async (model) => {
        assert.equal(model.stats().inlineLimitMs > 0, allowed);
      }));
  }
});
