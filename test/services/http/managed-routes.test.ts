import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { STATUS } from '../../../services/http/error-response.ts';
import { assertErrorResponse } from '../../support/error-response.ts';
import { testService } from '../../support/service.ts';

describe('probes', () => {
  test('report that the process is alive and whether it is ready', async () => {
    using service = await testService();
    const get = async (path: string) => {
      const response = await service.app.request(path);
      assert.match(response.headers.get('x-request-id')!, /^req_/);
      return [response.status, await response.json()];
    };
    assert.deepEqual(await get('/alive'), [200, { status: 'alive' }]);
    assert.deepEqual(await get('/health'), [200, { status: 'ok', ready: true }]);
    const about = { state: 'ready', reason: '', device: 'cpu', maxRows: 16 };
    const version = { ...about, task: 'classification' };
    const versions = [
      { version: 'v1.0', ...version },
      { version: 'v2.0', ...version },
    ];
    assert.deepEqual(await get('/ready'), [
      200,
      { status: 'ready', models: [{ name: 'iris', versions }] },
    ]);
  });

  test('report that a service without a model is not ready', async () => {
    using service = await testService({ models: {} });
    assert.equal((await service.app.request('/ready')).status, 503);
    assert.equal((await service.app.request('/alive')).status, 200);
  });
});

describe('routes', () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    test(`${method} /predict gets a 405 that lists the allowed methods`, async () => {
      using service = await testService();
      const response = await service.app.request('/predict', { method });
      const message = await assertErrorResponse(response, 405, 'METHOD_NOT_ALLOWED');
      assert.match(message, /use POST/);
      assert.equal(response.headers.get('allow'), 'POST');
    });
  }

  test('POST /ready gets a 405', async () => {
    using service = await testService();
    const response = await service.app.request('/ready', { method: 'POST' });
    await assertErrorResponse(response, 405, 'METHOD_NOT_ALLOWED');
    assert.match(response.headers.get('allow')!, /GET/);
  });

  test('an unknown path gets a 404, and is counted as unmatched', async () => {
    using service = await testService();
    await assertErrorResponse(await service.app.request('/secret/path'), 404, 'ROUTE_NOT_FOUND');
    const page = await (await service.app.request('/metrics')).text();
    assert.match(
      page,
      /http_requests_total\{method="GET",route="unmatched",status="404",service="prediction"\} 1/,
    );
    assert.doesNotMatch(page, /secret/);
  });

  test('an error of an unknown route names the pages', async () => {
    using service = await testService();
    const message = await assertErrorResponse(
      await service.app.request('/none'),
      404,
      'ROUTE_NOT_FOUND',
    );
    assert.match(message, /\/docs.*\/playground/);
  });

  test('/metrics has the text format of Prometheus', async () => {
    using service = await testService();
    const response = await service.app.request('/metrics');
    assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  });
});

describe('documentation', () => {
  test('/openapi.json describes every route and every status that can be sent', async () => {
    using service = await testService();
    const api = (await (await service.app.request('/openapi.json')).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
      components: { schemas: Record<string, { required?: string[] }> };
    };
    assert.equal(api.openapi, '3.1.0');
    assert.ok('/v2/models/{model}/infer' in api.paths);
    const own = Object.keys(api.paths).filter((path) => !path.startsWith('/v2'));
    assert.deepEqual(own.sort(), ['/alive', '/health', '/metrics', '/predict', '/ready']);
    const described = Object.keys(api.paths['/predict']!.post!.responses).map(Number);
    // 499 is never sent, and the others only by routes that change state.
    const others = new Set([
      ...[STATUS.CANCELLED, STATUS.CROSS_SITE, STATUS.CONFLICT, STATUS.REJECTED],
      ...[STATUS.STALE_REVISION, STATUS.REVISION_REQUIRED],
    ]);
    const statuses = [200, ...Object.values(STATUS)].filter((status) => !others.has(status));
    assert.deepEqual(described.sort(), [...new Set(statuses)].sort());
    assert.deepEqual(api.components.schemas.PredictRequest!.required, ['features']);
  });

  test('/docs loads nothing from another server', async () => {
    using service = await testService();
    const page = await (await service.app.request('/docs')).text();
    assert.match(page, /href="\/playground"/);
    const assets = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    assert.ok(assets.length >= 4);
    for (const path of assets) {
      assert.ok(path.startsWith('/'), path);
      assert.equal((await service.app.request(path)).status, 200, path);
    }
  });
});
