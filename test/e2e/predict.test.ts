/** @module Tests `POST /predict` with the demonstration models, by model, version and label. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServiceChild } from '../support/child.ts';
import { MODELS, ROW, start } from './support.ts';

const PATIENT = [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87];

interface Row {
  readonly prediction: unknown;
  readonly confidence?: number;
}

interface TestResponse extends Row {
  readonly predictions: readonly Row[];
  readonly model_version: string;
  readonly inference_time_ms: number;
  readonly request_id: string;
}

/** Starts the services with the models of the project. */
async function demonstration(env: Readonly<Record<string, string>> = {}) {
  const child = new ServiceChild('services/main.ts', { SERVICE: 'prediction', PORT: '0', ...env });
  const url = `http://127.0.0.1:${await child.port()}/predict`;
  const ask = async (body: object) => {
    const headers = { 'Content-Type': 'application/json', 'X-Request-Id': 'mine' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.equal(response.headers.get('x-request-id'), 'mine');
    assert.match(
      response.headers.get('server-timing')!,
      /^queue;dur=[\d.]+, batch;desc="\d+\/\d+", compute;dur=[\d.]+$/,
    );
    return JSON.parse(text) as TestResponse;
  };
  return { ask, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

test('/predict accepts one row or many, versions and the regressor', async () => {
  await using service = await demonstration();
  const keys = ['prediction', 'confidence', 'model_version', 'inference_time_ms', 'request_id'];
  for (const model_version of ['v1.0', 'v2.0']) {
    const one = await service.ask({ features: ROW, model_version });
    assert.deepEqual(Object.keys(one), keys);
    assert.deepEqual([one.prediction, one.model_version], ['setosa', model_version]);
    assert.ok(one.confidence! > 0.9 && one.confidence! <= 1);
    assert.ok(one.inference_time_ms > 0);
    assert.equal(one.request_id, 'mine');
    const rows = [ROW, [6.7, 3.0, 5.2, 2.3], [5.7, 2.8, 4.1, 1.3]];
    const many = await service.ask({ features: rows, model_version });
    const labels = many.predictions.map(({ prediction }) => prediction);
    assert.deepEqual(labels, ['setosa', 'virginica', 'versicolor']);
    assert.deepEqual(many.predictions[0], {
      prediction: one.prediction,
      confidence: one.confidence,
    });
  }
  assert.equal((await service.ask({ features: [ROW] })).predictions.length, 1);
  const usual = await service.ask({ features: ROW });
  assert.equal(usual.model_version, 'v1.0');
  const number = await service.ask({ model: 'diabetes', features: PATIENT });
  assert.equal(typeof number.prediction, 'number');
  assert.ok(!('confidence' in number));
});

test('a thousand concurrent clients get their own predictions', async () => {
  await using service = await demonstration({ MAX_WORKERS: '2' });
  const rows = [ROW, [6.7, 3.0, 5.2, 2.3], [5.7, 2.8, 4.1, 1.3]];
  const wanted = ['setosa', 'virginica', 'versicolor'];
  for (let round = 0; round < 10; round += 1) {
    const classes = Array.from({ length: 100 }, (_, i) => i % 3);
    const responses = await Promise.all(classes.map((i) => service.ask({ features: rows[i] })));
    assert.deepEqual(
      responses.map(({ prediction }) => prediction),
      classes.map((i) => wanted[i]),
    );
  }
});

test('DEFAULT_MODEL serves requests without a model', async () => {
  await using service = await demonstration({ DEFAULT_MODEL: 'diabetes' });
  assert.equal(typeof (await service.ask({ features: PATIENT })).prediction, 'number');
  assert.equal((await service.ask({ model: 'iris', features: ROW })).prediction, 'setosa');
});

test('labels select versions, and the traffic is split by weight', async () => {
  const { iris } = MODELS;
  const config = {
    ...(iris!.config as object),
    version_labels: { stable: 'v1.0', canary: 'v2.0' },
    traffic: { 'v1.0': 1, 'v2.0': 1 },
  };
  const versions = { 'v1.0': 'models/iris/v1.0/model.onnx', 'v2.0': 'models/iris/v2.0/model.onnx' };
  await using service = await start({}, { iris: { config, versions } });
  const versionOf = async (body: object) =>
    ((await (await service.predict(body)).json()) as TestResponse).model_version;
  assert.equal(await versionOf({ features: ROW, model_version: 'stable' }), 'v1.0');
  assert.equal(await versionOf({ features: ROW, model_version: 'canary' }), 'v2.0');
  const drawn = await Promise.all(Array.from({ length: 200 }, () => versionOf({ features: ROW })));
  const second = drawn.filter((version) => version === 'v2.0').length;
  // 15 of 200, or 185, would be twelve standard deviations from the mean.
  assert.ok(second > 15 && second < 185, `${second} of 200`);
});

describe('models that cannot be loaded', () => {
  const BROKEN = ['truncated', 'not-onnx', 'empty', 'future-opset', 'missing-external-data'];
  const fixture = (name: string) => `test/fixtures/models/broken/${name}.onnx`;
  const mixed = {
    config: { task: 'classification', output: 'probabilities', default_version: 'v1.0' },
    versions: {
      'v1.0': 'models/iris/v1.0/model.onnx',
      missing: undefined,
      ...Object.fromEntries(BROKEN.map((name) => [name, fixture(name)])),
    },
  };
  const models = {
    mixed,
    wrong: { config: '{"taks":1}', versions: mixed.versions },
    bad: { versions: { '1': fixture('not-onnx') } },
  };

  interface Ready {
    readonly skipped: readonly { name: string; reason: string }[];
    readonly models: readonly {
      readonly name: string;
      readonly versions: readonly { version: string; state: string; reason: string }[];
    }[];
  }

  test('do not affect others, and have a reason without paths or addresses', async () => {
    await using service = await start({ DEFAULT_MODEL: 'mixed' }, models);
    const ready = await fetch(`${service.url}/ready`);
    assert.equal(ready.status, 200);
    const body = (await ready.json()) as Ready;
    const all = body.models.flatMap(({ name, versions }) =>
      versions.map((version) => ({ name, ...version })),
    );
    for (const { name, version, state, reason } of all) {
      const works = name === 'mixed' && version === 'v1.0';
      assert.equal(state, works ? 'ready' : 'failed', `${name} ${version}`);
      if (works) continue;
      assert.ok(reason.length > 10, `${name} ${version}: ${reason}`);
      assert.doesNotMatch(reason, /\/(?:tmp|work|home|usr|var)\/|0x[0-9a-f]{4}|\.so\b/i);
    }
    assert.equal(all.length, 2 * (BROKEN.length + 1) + 1);
    // A folder without a model file is not a version.
    const skipped = body.skipped.map(({ name }) => name);
    assert.deepEqual(skipped, ['mixed/missing', 'wrong/missing']);
    const logged = service.child.log.filter(({ msg }) => msg === 'model not served');
    assert.equal(logged.length, all.length - 1);
    assert.equal((await service.predict({ features: ROW })).status, 200);
    for (const model_version of BROKEN) {
      const refused = await service.predict({ features: ROW, model_version });
      assert.equal(refused.status, 503, model_version);
      assert.equal(((await refused.json()) as { code: string }).code, 'MODEL_NOT_READY');
    }
    const missing = await service.predict({ features: ROW, model_version: 'missing' });
    assert.equal(missing.status, 404);
    assert.equal(service.child.errors, '');
  });

  test('leave a service without other models alive but not ready', async () => {
    await using service = await start({}, { bad: models.bad });
    assert.equal((await fetch(`${service.url}/ready`)).status, 503);
    assert.equal((await fetch(`${service.url}/alive`)).status, 200);
    assert.equal((await service.predict({ features: ROW })).status, 503);
  });
});
