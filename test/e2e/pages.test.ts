/** @module Tests the OpenAPI documents, the documentation pages, metrics and probes of all services. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';
import { ROW, type Running, start } from './support.ts';

/** The checker of Prometheus, from the Debian package `prometheus`. */
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe('every service', () => {
  let state: Awaited<ReturnType<typeof stateFolder>>;
  let child: ServiceChild;
  let ports: Readonly<Record<string, number>>;
  before(async () => {
    state = await stateFolder();
    const env = { PORT: '0', SERVICE: 'all', STATE_DIR: state.path };
    child = new ServiceChild('services/main.ts', env);
    ({ ports } = (await child.line('ready')) as { ports: Record<string, number> });
  });
  after(async () => {
    await child[Symbol.asyncDispose]();
    state[Symbol.dispose]();
  });

  for (const name of ['gateway', 'prediction', 'nlp', 'vision', 'inference']) {
    test(`${name} shows a browser that opens its address what the process serves`, async () => {
      const origin = `http://127.0.0.1:${ports[name]}`;
      const headers = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
      const response = await fetch(`${origin}/`, { headers });
      assert.match(response.headers.get('content-type')!, /^text\/html/);
      const html = await response.text();
      const links = [...html.matchAll(/href="((?:\/|http:)[^"]*)"/g)].map(([, link]) => link!);
      assert.ok(links.includes('/playground') && links.includes('/docs'), links.join(' '));
      const others = links.filter((link) => link.startsWith('http:'));
      const open = Object.entries(ports).filter(([each]) => each !== 'grpc');
      assert.deepEqual(
        others,
        open.map(([, port]) => `http://127.0.0.1:${port}/`),
      );
      for (const link of links) {
        const found = await fetch(new URL(link, origin));
        assert.equal(found.status, 200, link);
        await found.arrayBuffer();
      }
    });

    test(`${name} tells a program the same in JSON`, async () => {
      const response = await fetch(`http://127.0.0.1:${ports[name]}/`);
      const { service, services, models } = (await response.json()) as {
        service: string;
        services: { name: string; port: number }[];
        models: { name: string; versions: { state: string; task?: string }[] }[];
      };
      assert.equal(service, name);
      for (const each of services) assert.equal(each.port, ports[each.name]);
      const iris = models.find((model) => model.name === 'iris');
      assert.equal(iris!.versions.at(-1)!.state, 'ready');
      assert.equal(iris!.versions.at(-1)!.task, 'classification');
    });
  }

  /** A model that each service serves. */
  const served = { prediction: 'iris', nlp: 'minilm', inference: 'iris' };
  for (const [name, model] of Object.entries(served)) {
    const get = (path: string) => fetch(`http://127.0.0.1:${ports[name]}${path}`);

    test(`${name} has a valid OpenAPI 3.1 document, and all its routes exist`, async () => {
      const response = await get('/openapi.json');
      assert.match(response.headers.get('content-type')!, /^application\/json/);
      const document = (await response.json()) as { openapi: string; paths: object };
      const { valid, errors } = await new Validator().validate(document);
      assert.ok(valid, JSON.stringify(errors));
      assert.match(document.openapi, /^3\.1\./);
      for (const [path, operations] of Object.entries(document.paths)) {
        for (const method of Object.keys(operations as object)) {
          const made = path.replaceAll('{model}', model).replaceAll('{version}', 'v1.0');
          const url = `http://127.0.0.1:${ports[name]}${made}`;
          const { status } = await fetch(url, { method: method.toUpperCase() });
          assert.ok(![404, 405, 500].includes(status), `${method} ${path}: ${status}`);
        }
      }
    });

    test(`${name} serves all files of its documentation page`, async () => {
      const page = await (await get('/docs')).text();
      const references = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target]) => target!);
      assert.ok(references.length >= 3);
      for (const target of references) {
        assert.match(target, /^\/(?!\/)/, 'nothing comes from another host');
        const asset = await get(target);
        assert.equal(asset.status, 200, target);
        assert.ok((await asset.text()).length > 50, target);
      }
    });

    test(`${name} has the probes, and returns 404 for unknown routes`, async () => {
      for (const path of ['/alive', '/health', '/ready', '/metrics']) {
        const response = await get(path);
        assert.equal(response.status, 200, path);
        assert.ok(response.headers.get('x-request-id'), path);
      }
      for (const path of ['/predictions', '/predict/', '/docs/../x', '/%zz', '/v3', '/.env']) {
        const response = await get(path);
        assert.equal(response.status, 404, path);
        assert.equal(((await response.json()) as { code: string }).code, 'ROUTE_NOT_FOUND');
      }
    });
  }
});

describe('the metrics page', () => {
  let service: Running;
  before(async () => {
    service = await start();
    await Promise.all(Array.from({ length: 20 }, () => service.predict({ features: ROW })));
    await service.predict('{');
  });
  after(() => service[Symbol.asyncDispose]());

  test('passes the checker of Prometheus', {
    skip: hasPromtool ? false : 'promtool is not installed (Debian package prometheus)',
  }, async () => {
    const input = await service.page();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  test('has the metric names of the platform that this one replaces', async () => {
    const page = await service.page();
    for (const [name, type] of [
      ['http_requests_total', 'counter'],
      ['http_request_duration_seconds', 'histogram'],
      ['model_inference_duration_seconds', 'histogram'],
    ] as const) {
      assert.ok(page.includes(`# TYPE ${name} ${type}\n`), name);
    }
    assert.equal(
      await service.metric('http_requests_total', { status: '200', method: 'POST' }),
      20,
    );
    assert.equal(await service.metric('http_requests_total', { status: '400' }), 1);
    assert.ok((await service.metric('model_inference_duration_seconds_count')) > 0);
  });

  test('has the measurements of the batcher', async () => {
    const mean = { model: 'iris', rows: '1' };
    assert.ok((await service.metric('millrace_model_batch_cost_mean_seconds', mean)) > 0);
    assert.ok((await service.metric('millrace_model_batch_cost_high_seconds', mean)) > 0);
    const page = await service.page();
    for (const name of [
      'millrace_model_expected_wait_seconds',
      'millrace_model_returning_clients_ratio',
      'millrace_model_stuck_instances',
    ]) {
      assert.ok(page.includes(`\n${name}{model="iris",version="v1.0"} `), name);
    }
  });

  test('has no more information about the process than necessary', async () => {
    const page = await service.page();
    assert.doesNotMatch(page, /\/(?:home|tmp|work|usr)\/|nodejs_/);
    assert.ok((await service.metric('process_resident_memory_bytes')) > 1e7);
  });
});
