/** @module Tests that pages of other sites cannot change state. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inference } from '../inference/support.ts';

const files = { 'm/1/model.onnx': '=identity-float32' };
const explicit = { modelControlMode: 'explicit', loadModels: ['*'] } as const;
const unload = '/v2/repository/models/m/unload';
const loaded = '/v2/models/m/ready';
const json = { 'Content-Type': 'application/json' };

describe('a route that changes state', () => {
  for (const [name, headers, status] of [
    ['text/plain, which a page can send to any site', { 'Content-Type': 'text/plain' }, 415],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 415],
    ['a multipart form', { 'Content-Type': 'multipart/form-data; boundary=a' }, 415],
    ['the Origin of another site', { ...json, Origin: 'https://evil.example' }, 403],
    ['the Origin of another port', { ...json, Origin: 'http://localhost:3000' }, 403],
    ['an opaque Origin', { ...json, Origin: 'null' }, 403],
    ['Sec-Fetch-Site: cross-site', { ...json, 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['Sec-Fetch-Site: same-site', { ...json, 'Sec-Fetch-Site': 'same-site' }, 403],
  ] as const) {
    test(`refuses ${name}`, async () => {
      await using server = await inference(files, explicit);
      const response = await server.post(unload, '{}', { Host: 'localhost:8000', ...headers });
      assert.equal(response.status, status, response.text);
      assert.equal(response.json.code, status === 403 ? 'CROSS_SITE' : 'UNSUPPORTED_MEDIA_TYPE');
      assert.equal((await server.get(loaded)).status, 200);
    });
  }

  for (const [name, headers] of [
    ['a program', json],
    [
      'a program that sends every body as application/octet-stream',
      { 'Content-Type': 'application/octet-stream' },
    ],
    ['JSON with a charset', { 'Content-Type': 'application/json; charset=utf-8' }],
    [
      'a page of the same origin, by Sec-Fetch-Site',
      { ...json, 'Sec-Fetch-Site': 'same-origin', Origin: 'https://proxy.example' },
    ],
    ['a page of the same origin, by Origin', { ...json, Origin: 'http://localhost:8000' }],
    ['a request from the address bar', { ...json, 'Sec-Fetch-Site': 'none' }],
  ] as const) {
    test(`accepts ${name}`, async () => {
      await using server = await inference(files, explicit);
      const response = await server.post(unload, '{}', { Host: 'localhost:8000', ...headers });
      assert.equal(response.status, 200, response.text);
    });
  }

  test('accepts a request without body and Content-Type, as curl -X POST sends it', async () => {
    await using server = await inference(files, explicit);
    const response = await server.app.request(unload, { method: 'POST' });
    assert.equal(response.status, 200);
  });
});

describe('a server that listens only on its own machine', () => {
  for (const [host, status] of [
    ['rebound.example', 403],
    ['rebound.example:8000', 403],
    ['127.0.0.1.rebound.example', 403],
    ['localhost.', 403],
    ['localhost', 200],
    ['LOCALHOST:8000', 200],
    ['127.0.0.1:8000', 200],
    ['192.168.0.1', 200],
    ['[::1]:8000', 200],
  ] as const) {
    test(`${status === 200 ? 'accepts' : 'refuses'} a change with Host: ${host}`, async () => {
      await using server = await inference(files, explicit);
      const { status: actual, json: body } = await server.post(unload, '{}', {
        ...json,
        Host: host,
        Origin: `http://${host}`,
      });
      assert.equal(actual, status);
      if (status === 403) assert.match(body.error, /send the request to localhost/);
    });
  }

  for (const host of ['Localhost', '127.0.0.2', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1']) {
    test(`is one with HOST=${host}`, async () => {
      await using server = await inference(files, { ...explicit, host });
      const { status } = await server.post(unload, '{}', { ...json, Host: 'rebound.example' });
      assert.equal(status, 403);
    });
  }

  test('accepts any Host if it also listens on other addresses', async () => {
    await using server = await inference(files, { ...explicit, host: '0.0.0.0' });
    const { status } = await server.post(unload, '{}', { ...json, Host: 'models.example' });
    assert.equal(status, 200);
  });

  test('counts the requests that it refuses', async () => {
    await using server = await inference(files, explicit);
    await server.post(unload, '{}', { ...json, Host: 'rebound.example' });
    const route = '/v2/repository/models/:model/unload';
    const line = `http_requests_total{method="POST",route="${route}",status="403",service="inference"} 1`;
    const page = await server.runtime.metrics.render();
    assert.ok(page.includes(line), page);
  });
});

test('a POST that only reads accepts pages of other sites', async () => {
  await using server = await inference(files, explicit);
  const response = await server.post('/v2/repository/index', '{}', {
    'Content-Type': 'text/plain',
  });
  assert.equal(response.status, 200);
});
