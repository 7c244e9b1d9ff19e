/** @module Tests predictions of the demonstration models on the real engine, for rows outside their training data. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { jsonOf, type Opened, openApp, predict, ROW, readFixture } from '../support.ts';

interface IrisRow {
  readonly features: readonly number[];
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
}

interface DiabetesRow {
  readonly features: readonly number[];
  readonly predictions: Readonly<Record<string, number>>;
}

interface TestResponse {
  readonly prediction: string | number;
  readonly confidence?: number;
}

const LABELS = ['setosa', 'versicolor', 'virginica'];
const iris = readFixture<{ rows: readonly IrisRow[] }>('iris-heldout.json').rows;
const diabetes = readFixture<{ rows: readonly DiabetesRow[] }>('diabetes-heldout.json').rows;

let real: Opened;

before(async () => {
  real = await openApp(openEngine());
});
after(async () => {
  await real.close();
});

/** Compares within 1e-5, because kernels differ in the last bits between processors. */
function near(actual: number | undefined, expected: number): void {
  const scale = Math.max(1, Math.abs(expected));
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= 1e-5 * scale,
    `${actual} is not ${expected}`,
  );
}

test('the real engine reports the times of a request', async () => {
  const response = await predict(real.app, { features: ROW });
  assert.match(
    response.headers.get('server-timing') ?? '',
    /^queue;dur=[\d.]+, batch;desc="\d+\/64", compute;dur=[\d.]+$/,
  );
  const { inference_time_ms } = await jsonOf(response);
  assert.ok(typeof inference_time_ms === 'number' && inference_time_ms >= 0);
});

for (const version of ['v1.0', 'v2.0']) {
  const check = ({ prediction, confidence }: TestResponse, row: IrisRow) => {
    const probabilities = row.probabilities[version]!;
    const best = Math.max(...probabilities);
    assert.equal(prediction, LABELS[probabilities.indexOf(best)]);
    near(confidence, best);
  };

  test(`iris ${version} labels every held-out row in a request of its own`, async () => {
    for (const row of iris) {
      const body = { features: row.features, model_version: version };
      check((await jsonOf(await predict(real.app, body))) as unknown as TestResponse, row);
    }
  });

  test(`iris ${version} labels all held-out rows in one request`, async () => {
    const body = { features: iris.map(({ features }) => features), model_version: version };
    const { predictions } = await jsonOf(await predict(real.app, body));
    assert.equal((predictions as TestResponse[]).length, iris.length);
    (predictions as TestResponse[]).forEach((response, i) => {
      check(response, iris[i]!);
    });
  });
}

test('concurrent requests get their own predictions', async () => {
  const responses = iris.map(({ features }) => predict(real.app, { features }));
  for (const [i, response] of (await Promise.all(responses)).entries()) {
    const { confidence } = await jsonOf(response);
    near(confidence as number, Math.max(...iris[i]!.probabilities['v1.0']!));
  }
});

test('a regressor returns a number without a confidence', async () => {
  for (const { features, predictions } of diabetes.slice(0, 20)) {
    const body = await jsonOf(await predict(real.app, { model: 'diabetes', features }));
    near(body.prediction as number, predictions['v1.0']!);
    assert.equal('confidence' in body, false);
  }
});

test('more rows than the maximum batch get predictions in their order', async () => {
  const features = diabetes.map((row) => row.features);
  const body = await jsonOf(await predict(real.app, { model: 'diabetes', features }));
  (body.predictions as TestResponse[]).forEach((response, i) => {
    assert.deepEqual(Object.keys(response), ['prediction']);
    near(response.prediction as number, diabetes[i]!.predictions['v1.0']!);
  });
});
