/** @module What `POST /predict` answers when nothing is wrong. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEngine } from '../../native/index.ts';
import { answerOf, type Opened, openApp, predict, ROW, readFixture } from './support.ts';

interface IrisRow {
  readonly features: readonly number[];
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
}

interface DiabetesRow {
  readonly features: readonly number[];
  readonly predictions: Readonly<Record<string, number>>;
}

interface Answer {
  readonly prediction: string | number;
  readonly confidence?: number;
}

const LABELS = ['setosa', 'versicolor', 'virginica'];
const iris = readFixture<{ rows: readonly IrisRow[] }>('iris-heldout.json').rows;
const diabetes = readFixture<{ rows: readonly DiabetesRow[] }>('diabetes-heldout.json').rows;

let puppet: Opened;
let real: Opened;

before(async () => {
  puppet = await openApp();
  real = await openApp(openEngine());
});
after(async () => {
  await puppet.close();
  await real.close();
});

/** Within 1e-5, because kernels differ in the last bits between processors. */
function near(actual: number | undefined, expected: number): void {
  const scale = Math.max(1, Math.abs(expected));
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= 1e-5 * scale,
    `${actual} is not ${expected}`,
  );
}

test('one row is answered by one prediction', async () => {
  const { request_id, ...body } = await answerOf(await predict(puppet.app, { features: ROW }));
  assert.match(String(request_id), /^req_[a-z0-9]+$/);
  assert.deepEqual(body, {
    prediction: 'setosa',
    confidence: 0.97,
    model_version: 'v1.0',
    inference_time_ms: 0.21,
  });
});

test('many rows are answered by as many predictions, in order', async () => {
  const body = await answerOf(await predict(puppet.app, { features: [ROW, ROW, ROW] }));
  assert.deepEqual(
    body.predictions,
    LABELS.map((prediction) => ({ prediction, confidence: 0.97 })),
  );
  assert.equal('prediction' in body, false);
});

test('a list of one row is answered by a list', async () => {
  const { predictions } = await answerOf(await predict(puppet.app, { features: [ROW] }));
  assert.deepEqual(predictions, [{ prediction: 'setosa', confidence: 0.97 }]);
});

test('a version that is asked for answers', async () => {
  for (const version of ['v1.0', 'v2.0']) {
    const body = { features: ROW, model: 'iris', model_version: version };
    assert.equal((await answerOf(await predict(puppet.app, body))).model_version, version);
  }
});

test('JSON of any media type that says so is taken', async () => {
  for (const type of [
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/a+json',
  ]) {
    await answerOf(await predict(puppet.app, { features: ROW }, { 'Content-Type': type }));
  }
});

test('a sane request id comes back in the header and in the body', async () => {
  for (const id of ['a', 'trace-42_B', 'x'.repeat(128)]) {
    const response = await predict(puppet.app, { features: ROW }, { 'X-Request-Id': id });
    assert.equal(response.headers.get('x-request-id'), id);
    assert.equal((await answerOf(response)).request_id, id);
  }
});

test('an insane request id is replaced', async () => {
  for (const id of ['a b', 'x'.repeat(129), '"}', 'a/b', '<script>']) {
    const response = await predict(puppet.app, { features: ROW }, { 'X-Request-Id': id });
    const given = response.headers.get('x-request-id');
    assert.match(given ?? '', /^req_[a-z0-9]+$/);
    assert.equal((await answerOf(response)).request_id, given);
  }
});

test('requests without an id get ids that differ', async () => {
  const answers = Array.from({ length: 2_000 }, () => predict(puppet.app, { features: ROW }));
  const ids = (await Promise.all(answers)).map(({ headers }) => headers.get('x-request-id'));
  assert.equal(new Set(ids).size, ids.filter((id) => id !== null).length);
});

test('the headers tell the type and where the time went', async () => {
  const { headers } = await predict(puppet.app, { features: ROW });
  assert.equal(headers.get('content-type'), 'application/json');
  assert.equal(headers.get('server-timing'), 'queue;dur=0.04, batch;desc="8/16", compute;dur=0.21');
});

test('the real engine times the request, too', async () => {
  const response = await predict(real.app, { features: ROW });
  assert.match(
    response.headers.get('server-timing') ?? '',
    /^queue;dur=[\d.]+, batch;desc="\d+\/64", compute;dur=[\d.]+$/,
  );
  const { inference_time_ms } = await answerOf(response);
  assert.ok(typeof inference_time_ms === 'number' && inference_time_ms >= 0);
});

for (const version of ['v1.0', 'v2.0']) {
  const check = ({ prediction, confidence }: Answer, row: IrisRow) => {
    const probabilities = row.probabilities[version]!;
    const best = Math.max(...probabilities);
    assert.equal(prediction, LABELS[probabilities.indexOf(best)]);
    near(confidence, best);
  };

  test(`iris ${version} labels every held-out row, one at a time`, async () => {
    for (const row of iris) {
      const body = { features: row.features, model_version: version };
      check((await answerOf(await predict(real.app, body))) as unknown as Answer, row);
    }
  });

  test(`iris ${version} labels all held-out rows at once`, async () => {
    const body = { features: iris.map(({ features }) => features), model_version: version };
    const { predictions } = await answerOf(await predict(real.app, body));
    assert.equal((predictions as Answer[]).length, iris.length);
    (predictions as Answer[]).forEach((answer, i) => {
      check(answer, iris[i]!);
    });
  });
}

test('requests of the same moment do not get each other’s answers', async () => {
  const responses = iris.map(({ features }) => predict(real.app, { features }));
  for (const [i, response] of (await Promise.all(responses)).entries()) {
    const { confidence } = await answerOf(response);
    near(confidence as number, Math.max(...iris[i]!.probabilities['v1.0']!));
  }
});

test('a regressor answers a number without a confidence', async () => {
  for (const { features, predictions } of diabetes.slice(0, 20)) {
    const body = await answerOf(await predict(real.app, { model: 'diabetes', features }));
    near(body.prediction as number, predictions['v1.0']!);
    assert.equal('confidence' in body, false);
  }
});

test('more rows than a batch holds are answered in order', async () => {
  const features = diabetes.map((row) => row.features);
  const body = await answerOf(await predict(real.app, { model: 'diabetes', features }));
  (body.predictions as Answer[]).forEach((answer, i) => {
    assert.deepEqual(Object.keys(answer), ['prediction']);
    near(answer.prediction as number, diabetes[i]!.predictions['v1.0']!);
  });
});
