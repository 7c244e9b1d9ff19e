/** @module Tests the output of the start on a terminal. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readableLine } from '../../runtime/index.ts';
import { readyBlock } from '../../services/announce.ts';
import { testConfig } from '../support/service.ts';

const service = {
  ports: { prediction: 8001, nlp: 8002, vision: 8003, grpc: 9000 },
  models: [
    { name: 'iris', versions: [{ version: 'v1.0', state: 'ready', reason: '' }] },
    { name: 'bad', versions: [{ version: '1', state: 'failed', reason: 'broken' }] },
  ],
  examples: [
    { service: 'prediction', path: '/predict', body: '{"features":[0]}' },
    { service: 'nlp', path: '/embed', body: '{"text":"Hello"}' },
    { service: 'vision', path: '/classify', file: 'models/animals/cat.jpg' },
  ],
  drain: async () => {},
  stop: async () => {},
} as const;

describe('the block after the start', () => {
  test('lists models, addresses and a first request to each service', () => {
    const block = readyBlock(service, { ...testConfig('/'), host: '127.0.0.1' });
    assert.equal(
      block,
      [
        '',
        'Serving iris (v1.0)',
        '',
        '  prediction  http://127.0.0.1:8001/docs  /playground  /metrics  /ready',
        '  nlp         http://127.0.0.1:8002/docs  /playground  /metrics  /ready',
        '  vision      http://127.0.0.1:8003/docs  /playground  /metrics  /ready',
        '  grpc        127.0.0.1:9000',
        '',
        '  curl -s http://127.0.0.1:8001/predict \\',
        `    -H 'Content-Type: application/json' -d '{"features":[0]}'`,
        '',
        '  curl -s http://127.0.0.1:8002/embed \\',
        `    -H 'Content-Type: application/json' -d '{"text":"Hello"}'`,
        '',
        '  curl -s http://127.0.0.1:8003/classify \\',
        `    -F 'image=@models/animals/cat.jpg'`,
        '',
      ].join('\n'),
    );
  });

  test('has addresses that a client can connect to', () => {
    const block = (host: string) => readyBlock(service, { ...testConfig('/'), host });
    assert.match(block('::1'), /http:\/\/\[::1\]:8001\/docs/);
    assert.match(block('0.0.0.0'), /http:\/\/localhost:8001\/docs/);
    assert.match(block('::'), /http:\/\/localhost:8001\/docs/);
  });

  test('has no request if no model is served', () => {
    const block = readyBlock({ ...service, models: [], examples: [] }, testConfig('/'));
    assert.match(block, /Serving no model yet/);
    assert.doesNotMatch(block, /curl/);
  });
});

describe('a line of the log', () => {
  test('is readable on a terminal', () => {
    const line = { level: 40, time: '2026-01-02T03:04:05.678Z', msg: 'skipped', name: 'a', n: [1] };
    assert.equal(readableLine(JSON.stringify(line)), '03:04:05 WARN  skipped  name=a  n=[1]');
  });

  test('has the stack of an error', () => {
    const line = {
      level: 50,
      time: '2026-01-02T03:04:05Z',
      msg: 'failed',
      err: { stack: 'Error: x' },
    };
    assert.equal(readableLine(JSON.stringify(line)), '03:04:05 ERROR failed\nError: x');
  });
});
