/** @module How long the worst requests occupy the main thread: CPU time of the longest turn of its event loop. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { field, repeated, request } from '../services/inference/grpc-bytes.ts';
import { connect } from '../services/inference/grpc-client.ts';
import { RawClient } from '../support/raw-http.ts';
import type { TestModel } from '../support/repository.ts';
import { type Running, start } from './support.ts';

/**
 * The longest turn may take 20 ms on an idle machine. CPU time doubles if other work shares the cores and their
 * caches, and several short turns count as one if the clock of the fixture is late, which it is more on Deno.
 */
const LIMIT_MS = 'Deno' in globalThis ? 120 : 60;
/** The median of this many requests counts, because the first ones run code that is not compiled yet. */
const REQUESTS = 5;

const MIB = 2 ** 20;
const identity = 'test/fixtures/models/identity-float32.onnx';
const strings = 'test/fixtures/models/identity-string.onnx';
const INFER = '/v2/models/f/infer';
const LOAD = '/v2/repository/models/f/load';

type Send = (service: Running) => Promise<unknown>;
const JSON_BODY = { 'Content-Type': 'application/json' };

/** POSTs a JSON body. */
const post = (path: string, body: string): Send => {
  const request = { method: 'POST', headers: JSON_BODY, body };
  return ({ url }) => fetch(`${url}${path}`, request);
};

/** The same, compressed. */
const packed = (path: string, body: string): Send => {
  const headers = { ...JSON_BODY, 'Content-Encoding': 'gzip' };
  const bytes = new Uint8Array(gzipSync(body, { level: 1 }));
  return ({ url }) => fetch(`${url}${path}`, { method: 'POST', headers, body: bytes });
};

const get =
  (path: string): Send =>
  ({ url }) =>
    fetch(`${url}${path}`);

/** A text of this many bytes: `unit` repeated between its head and tail. */
const filled = (bytes: number, head: string, unit: string, tail: string) =>
  head + unit.repeat(Math.floor((bytes - head.length - tail.length) / unit.length)) + tail;

const tensor = (type: string, count: number, unit: string) =>
  `{"inputs":[{"name":"x","datatype":"${type}","shape":[${count / 3},3],"data":[${unit.repeat(count).slice(0, -1)}]}]}`;

const withConfig = (text: string) => post(LOAD, JSON.stringify({ parameters: { config: text } }));

const chunks: Send = async ({ port }) => {
  const client = new RawClient(port);
  const head = `POST /predict HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  client.send(`${head}${'1\r\n \r\n'.repeat(65_536)}0\r\n\r\n`);
  await client.response();
  client.socket.destroy();
};

/** Requests by what makes them expensive. They are made one after the other, because each is long. */
const PACKED: Readonly<Record<string, () => Send>> = {
  'a long id': () => packed(INFER, filled(63 * MIB, '{"id":"', 'x', '","inputs":[]}')),
  'an id of escapes': () => packed(INFER, filled(63 * MIB, '{"id":"', '\\n', '","inputs":[]}')),
  'open lists': () => packed(INFER, filled(63 * MIB, '{"x":', '[', '')),
  'many tensors': () =>
    packed(
      INFER,
      filled(
        63 * MIB,
        '{"inputs":[',
        '{"name":"x","datatype":"FP32","shape":[1],"data":[1]},',
        '{}]}',
      ),
    ),
  'many strings': () => packed('/v2/models/t/infer', tensor('BYTES', 130_992, '"abc",')),
  'many numbers': () => packed(INFER, tensor('FP32', 9_000_000, '1.5,')),
};
const PLAIN: Readonly<Record<string, () => Send>> = {
  'numbers for /predict': () => post('/predict', filled(MIB, '{"features":[', '1,', '1]}')),
  'members for /predict': () =>
    post('/predict', filled(MIB, '{"features":{"x":1', ',"xyzw":1', '}}')),
  'lists for /predict': () => post('/predict', filled(MIB, '{"features":[', '[],', '[]]}')),
  'escapes for /predict': () => post('/predict', filled(MIB, '{"model":"', '\\u00e9', '"}')),
  'numbers for generate': () =>
    post('/v2/models/f/generate', filled(8 * MIB, '{"x":[', '1,', '1]}')),
  'strings for generate': () =>
    post('/v2/models/t/generate', filled(8 * MIB, '{"x":[', '"a",', '"a"]}')),
  'a body in chunks of one byte': () => chunks,
  'a path of many parts': () => get(`/${'a/'.repeat(7000)}`),
  'a configuration of numbers': () =>
    withConfig(`input { name: "x" dims: [${'1,'.repeat(32_000)}1] }`),
  'a configuration of messages': () => withConfig(`instance_group [${'{},'.repeat(21_000)}{}]`),
};
const MANY: Readonly<Record<string, () => Send>> = {
  'the index': () => post('/v2/repository/index', '{}'),
  'the metrics': () => get('/metrics'),
  'the readiness': () => get('/ready'),
  'the statistics': () => get('/v2/models/stats'),
};

/** A gRPC message, which the model may refuse. */
const message =
  (bytes: Buffer): Send =>
  async ({ child }) => {
    const { ports } = (await child.line('ready')) as { ports: { grpc: number } };
    const client = connect(ports.grpc);
    await client.send('ModelInfer', bytes).catch(() => {});
    client.close();
  };

const MESSAGES: Readonly<Record<string, () => Send>> = {
  // The library copies the frames of a message to one buffer in one turn, in about a millisecond for each MiB.
  'FP32 elements': () =>
    message(request('FP32', [7 * MIB, 1], field(6, repeated(7 * MIB, 0, 0, 128, 63)))),
  'INT64 elements': () => message(request('INT64', [2 * MIB, 1], field(3, repeated(2 * MIB, 1)))),
  inputs: () => message(repeated(MIB / 2, 42, 2, 42, 0)),
};

/** CPU time of the longest turn that a request takes. */
async function longestTurn(service: Running, send: Send): Promise<number> {
  const { log } = service.child;
  const first = log.length;
  const response = await send(service);
  if (response instanceof Response) await response.arrayBuffer();
  // The turn is logged when the next one begins.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const turns = log.slice(first).filter(({ msg }) => msg === 'turn');
  return Math.max(0, ...turns.map(({ ms }) => Number(ms)));
}

const open = (models: Readonly<Record<string, TestModel>>) =>
  start(
    { SERVICE: 'all', GRPC_PORT: '0', MODEL_CONTROL_MODE: 'explicit', LOAD_MODEL: '*' },
    models,
    [],
    'test/e2e/turns.fixture.ts',
  );

async function check(
  t: TestContext,
  service: Running,
  requests: Readonly<Record<string, () => Send>>,
): Promise<void> {
  await longestTurn(service, get('/ready'));
  for (const [name, make] of Object.entries(requests)) {
    const send = make();
    const times: number[] = [];
    while (times.length < REQUESTS) times.push(await longestTurn(service, send));
    times.sort((a, b) => a - b);
    t.diagnostic(`${name}: ${times.map(Math.round).join(', ')} ms`);
    const median = times[Math.floor(REQUESTS / 2)]!;
    assert.ok(median < LIMIT_MS, `${name}: a turn took ${Math.round(median)} ms`);
  }
}

describe('the main thread is not occupied for long by', () => {
  const models: Readonly<Record<string, TestModel>> = {
    f: { config: { default: true }, versions: { '1': identity } },
    t: { versions: { '1': strings } },
  };
  test('compressed bodies', async (t) => {
    await using service = await open(models);
    await check(t, service, PACKED);
  });

  test('bodies, chunks and configurations', async (t) => {
    await using service = await open(models);
    await check(t, service, PLAIN);
  });

  test('gRPC messages', async (t) => {
    await using service = await open(models);
    await check(t, service, MESSAGES);
  });

  test('responses about 200 models', async (t) => {
    const many = Array.from({ length: 200 }, (_, i) => [`m${i}`, { versions: { '1': identity } }]);
    await using service = await open(Object.fromEntries(many));
    await check(t, service, MANY);
  });
});
