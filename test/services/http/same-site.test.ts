/** @module Pages of other sites change nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inference } from '../inference/support.ts';

const files = { 'm/1/model.onnx': '=identity-float32' };
const explicit = { modelControlMode: 'explicit', loadModels: ['*'] } as const;
const unload = '/v2/repository/models/m/unload';
const loaded = '/v2/models/m/ready';
const json = { 'Content-Type': 'application/json' };

describe('a route that changes something', () => {
  for (const [name, headers, status] of [
    ['text/plain, which a page can send anywhere', { 'Content-Type': 'text/plain' }, 415],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 415],
    ['a form of parts', { 'Content-Type': 'multipart/form-data; boundary=a' }, 415],
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
    ['a program that names no type of its own', { 'Content-Type': 'application/octet-stream' }],
    ['JSON with a charset', { 'Content-Type': 'application/json; charset=utf-8' }],
    [
      'a page of its own, by Sec-Fetch-Site',
      { ...json, 'Sec-Fetch-Site': 'same-origin', Origin: 'https://proxy.example' },
    ],
    ['a page of its own, by Origin', { ...json, Origin: 'http://localhost:8000' }],
    ['a user at the address bar', { ...json, 'Sec-Fetch-Site': 'none' }],
  ] as const) {
    test(`takes ${name}`, async () => {
      await using server = await inference(files, explicit);
      const response = await server.post(unload, '{}', { Host: 'localhost:8000', ...headers });
      assert.equal(response.status, 200, response.text);
    });
  }

  test('takes a request without a body and a type, as curl -X POST sends it', async () => {
    await using server = await inference(files, explicit);
    const response = await server.app.request(unload, { method: 'POST' });
    assert.equal(response.status, 200);
  });
});

test('a POST that only reads is for anybody', async () => {
  await using server = await inference(files, explicit);
  const response = await server.post('/v2/repository/index', '{}', {
    'Content-Type': 'text/plain',
  });
  assert.equal(response.status, 200);
});
