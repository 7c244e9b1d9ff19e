/** @module Tests probes, metrics, the OpenAPI document, and a repository with broken versions. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { sumOf } from '../../support/metrics.ts';
import { jsonOf, type Opened, openApp, predict, ROW, temporaryRepository } from '../support.ts';

interface Version {
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

const BROKEN = ['truncated', 'not-onnx', 'future-opset', 'missing-external-data'];
const broken = (name: string) => `test/fixtures/models/broken/${name}.onnx`;

const repository = temporaryRepository({
  'mixed/v1.0/model.onnx': 'models/iris/v1.0/model.onnx',
  'mixed/missing/README.md': 'models/iris/README.md',
  ...Object.fromEntries(BROKEN.map((name) => [`mixed/${name}/model.onnx`, broken(name)])),
  'mixed/model.json': { task: 'classification', output: 'probabilities', default_version: 'v1.0' },
  'wrong/model.json': { taks: 'classification' },
  'wrong/v1.0/model.onnx': 'models/iris/v1.0/model.onnx',
});

const mixedSettings = { modelPath: repository.folder, defaultModel: 'mixed' };

let demo: Opened;
let mixed: Opened;

before(async () => {
  demo = await openApp();
  mixed = await openApp(openEngine(), mixedSettings);
});
after(async () => {
  await demo.close();
  await mixed.close();
  repository.remove();
});

const metricsOf = async ({ app }: Opened) => (await app.request('/metrics')).text();

async function versionsOf(opened: Opened, model: string): Promise<readonly Version[]> {
  const body = await jsonOf(await opened.app.request('/ready'));
  const models = body.models as { name: string; versions: Version[] }[];
  return models.find(({ name }) => name === model)!.versions;
}

test('the probes return 200', async () => {
  const { app } = demo;
  assert.deepEqual(await jsonOf(await app.request('/alive')), { status: 'alive' });
  assert.deepEqual(await jsonOf(await app.request('/health')), { status: 'ok', ready: true });
  assert.equal((await jsonOf(await app.request('/ready'))).status, 'ready');
});

test('the demonstration repository has no entry that is skipped', async () => {
  assert.equal((await jsonOf(await demo.app.request('/ready'))).skipped, undefined);
});

test('the response of every control route has a request id', async () => {
  for (const route of ['/alive', '/health', '/ready', '/metrics', '/openapi.json', '/docs']) {
    const headers = { 'X-Request-Id': 'mine' };
    const response = await demo.app.request(route, { headers });
    assert.equal(response.status, 200, route);
    assert.equal(response.headers.get('x-request-id'), 'mine', route);
  }
});

test('a draining service is alive and not ready', async () => {
  const opened = await openApp();
  await opened.close();
  const ready = await opened.app.request('/ready');
  assert.equal(ready.status, 503);
  assert.equal(((await ready.json()) as { status: string }).status, 'draining');
  assert.equal((await opened.app.request('/alive')).status, 200);
  const refused = await predict(opened.app, { features: ROW });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('connection'), 'close');
  assert.equal(((await refused.json()) as { code: string }).code, 'DRAINING');
});

test('a service without a working version is not ready', async () => {
  const folder = temporaryRepository({ 'bad/v1.0/model.onnx': broken('not-onnx') });
  const opened = await openApp(openEngine(), { modelPath: folder.folder });
  try {
    const ready = await opened.app.request('/ready');
    assert.equal(ready.status, 503);
    assert.equal(((await ready.json()) as { status: string }).status, 'no model is loaded');
  } finally {
    await opened.close();
    folder.remove();
  }
});

test('/ready has the reason for a broken version, without paths or addresses', async () => {
  const versions = await versionsOf(mixed, 'mixed');
  assert.equal(versions.length, BROKEN.length + 1);
  for (const name of BROKEN) {
    const { state, reason } = versions.find(({ version }) => version === name)!;
    assert.equal(state, 'failed', name);
    assert.ok(reason.length > 10, `${name}: ${reason}`);
    assert.doesNotMatch(reason, /\/(?:tmp|work|home|usr)\/|0x[0-9a-f]+|\.so\b/, name);
  }
  const [wrong] = await versionsOf(mixed, 'wrong');
  assert.match(wrong!.reason, /model\.json of 'wrong' is wrong: .*taks/);
});

test('a folder without a model file is listed as skipped', async () => {
  const { skipped } = await jsonOf(await mixed.app.request('/ready'));
  const reason = 'It holds no model file: expected model.onnx';
  assert.deepEqual(skipped, [{ name: 'mixed/missing', reason }]);
});

test('a working version is served although others are broken', async () => {
  const versions = await versionsOf(mixed, 'mixed');
  assert.equal(versions.find(({ version }) => version === 'v1.0')!.state, 'ready');
  const body = await jsonOf(await predict(mixed.app, { features: ROW }));
  assert.equal(body.model_version, 'v1.0');
  assert.equal(body.prediction, 0);
});

test('a request for a broken version gets a 503 that names the working ones', async () => {
  for (const model_version of BROKEN) {
    const response = await predict(mixed.app, { features: ROW, model_version });
    assert.equal(response.status, 503);
    const { code, error } = (await response.json()) as { code: string; error: string };
    assert.equal(code, 'MODEL_NOT_READY');
    assert.match(error, /could not be loaded; see \/ready, or ask for one of 'v1\.0'/);
  }
});

test('the metrics count every request once', async () => {
  const opened = await openApp(openEngine());
  try {
    // The counters belong to the process, so requests of other tests are included.
    const earlier = await metricsOf(opened);
    const good = Array.from({ length: 23 }, () => predict(opened.app, { features: ROW }));
    const bad = Array.from({ length: 7 }, () => predict(opened.app, { features: [1] }));
    const probes = Array.from({ length: 5 }, () => opened.app.request('/alive'));
    await Promise.all([...good, ...bad, ...probes]);
    await opened.app.request('/nowhere');
    await opened.app.request('/predict');
    const page = await metricsOf(opened);
    const since = (name: string, labels: Readonly<Record<string, string>>) =>
      sumOf(page, name, labels) - sumOf(earlier, name, labels);
    const http = (labels: Readonly<Record<string, string>>) => {
      const total = since('http_requests_total', labels);
      assert.equal(since('http_request_duration_seconds_count', labels), total);
      const last = { ...labels, le: '+Inf' };
      assert.equal(since('http_request_duration_seconds_bucket', last), total);
      return total;
    };
    assert.equal(http({ method: 'POST', route: '/predict', status: '200' }), 23);
    assert.equal(http({ method: 'POST', route: '/predict', status: '400' }), 7);
    assert.equal(http({ method: 'GET', route: '/alive', status: '200' }), 5);
    assert.equal(http({ route: 'unmatched', status: '404' }), 1);
    assert.equal(http({ route: 'unmatched', status: '405' }), 1);
    // The first fetch of the metrics page counts, too.
    assert.equal(http({}), 38);
    // One of them is the warm-up run.
    const iris = { model: 'iris', version: 'v1.0' };
    const completed = sumOf(page, 'millrace_model_requests_total', {
      ...iris,
      outcome: 'completed',
    });
    assert.equal(completed, 24);
    const batches = sumOf(page, 'millrace_model_batches_total', iris);
    assert.equal(sumOf(page, 'model_inference_duration_seconds_count', iris), batches);
    assert.ok(batches >= 2 && batches <= 24);
    assert.equal(sumOf(page, 'millrace_model_queue_depth'), 0);
    assert.equal(sumOf(page, 'millrace_model_running'), 0);
  } finally {
    await opened.close();
  }
});

test('the metrics page has the text format of Prometheus, with types', async () => {
  const response = await demo.app.request('/metrics');
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const page = await response.text();
  for (const [name, type] of [
    ['http_requests_total', 'counter'],
    ['http_request_duration_seconds', 'histogram'],
    ['model_inference_duration_seconds', 'histogram'],
  ] as const) {
    assert.ok(page.includes(`# TYPE ${name} ${type}\n`), name);
  }
});

test('the OpenAPI document has every route, its responses and their schemas', async () => {
  const document = await jsonOf(await demo.app.request('/openapi.json'));
  assert.equal(document.openapi, '3.1.0');
  const paths = document.paths as Record<string, Record<string, { responses: object }>>;
  const routes = ['/alive', '/health', '/metrics', '/predict', '/ready'];
  const own = Object.keys(paths).filter((path) => !path.startsWith('/v2'));
  assert.deepEqual(own.sort(), routes);
  const statuses = Object.keys(paths['/predict']!.post!.responses);
  for (const status of ['200', '400', '404', '405', '408', '413', '415', '500', '503', '504']) {
    assert.ok(statuses.includes(status), status);
  }
  const { schemas } = document.components as { schemas: object };
  for (const name of ['PredictRequest', 'Prediction', 'Predictions', 'Error']) {
    assert.ok(name in schemas, name);
  }
});

test('every file of the docs page is served', async () => {
  const response = await demo.app.request('/docs');
  assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
  const references = [...(await response.text()).matchAll(/(?:src|href)="([^"]+)"/g)];
  assert.equal(references.length, 5);
  for (const [, target] of references) {
    // The page refers to no other host, so it works without internet access.
    assert.match(target!, /^\/(?!\/)/);
    const asset = await demo.app.request(target!);
    assert.equal(asset.status, 200, target!);
    assert.ok((await asset.text()).length > 50, target!);
    if (target!.endsWith('.css')) assert.match(asset.headers.get('content-type')!, /^text\/css/);
    if (target!.endsWith('.js')) assert.match(asset.headers.get('content-type')!, /javascript/);
  }
});

test('no other file of the Swagger UI package is served', async () => {
  for (const route of [
    '/docs/package.json',
    '/docs/../package.json',
    '/docs/%2e%2e/package.json',
  ]) {
    assert.equal((await demo.app.request(route)).status, 404, route);
  }
});
