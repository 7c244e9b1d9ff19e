/** @module Tests the byte budget: bodies that do not fit are refused unread, and every share is released exactly once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { MillraceError } from '../../../native/errors.ts';
import { redact } from '../../../runtime/errors.ts';
import { type Config, ServeError } from '../../../runtime/index.ts';
import { asBodyError } from '../../../services/http/body.ts';
import { parseJson } from '../../../services/http/codec-json.ts';
import type { RequestContext } from '../../../services/http/request-context.ts';
import { inferRoute } from '../../../services/inference/infer-route.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { until } from '../../support/until.ts';
import { type Inference, inference } from './support.ts';

const files = { 'f/1/model.onnx': '=identity-float32' };
const PATH = '/v2/models/{model}/infer';
const encoder = new TextEncoder();
const LARGE = 60_000;

/** A request with this many numbers. */
const numbers = (count: number, row = count) =>
  encoder.encode(
    JSON.stringify({
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [count / row, row], data: Array(count).fill(1) },
      ],
    }),
  );

type Headers_ = Readonly<Record<string, string>>;

function post(
  server: Inference,
  body: BodyInit | null,
  headers: Headers_ = {},
  signal?: AbortSignal,
) {
  const request = new Request('http://test/v2/models/f/infer', {
    method: 'POST',
    body,
    headers,
    duplex: 'half',
    ...(signal === undefined ? {} : { signal }),
  } as RequestInit);
  return Promise.resolve(server.app.fastRoutes[PATH.replace('{model}', ':model')]!(request));
}

const taken = ({ runtime }: Inference) => runtime.bodies.bytes.taken;

/** A server whose byte budget has this much room beside what other tests in this process hold. */
async function withRoom(bytes: number, settings: Partial<Config> = {}) {
  const server = await inference(files, { maxBodyBytesInFlight: bytes, ...settings });
  assert.equal(taken(server), 0);
  return server;
}

describe('the byte budget', () => {
  test('refuses a body whose Content-Length does not fit, without reading it', async () => {
    await using server = await withRoom(50_000);
    let pulled = 0;
    const pull = () => {
      pulled += 1;
    };
    const body = new ReadableStream({ pull }, { highWaterMark: 0 });
    assert.ok(server.runtime.bodies.bytes.take(20_000));
    const refused = await post(server, body, { 'Content-Length': '40000' });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(pulled, 0);
    server.runtime.bodies.give(20_000);
    const tooLong = await post(server, body, { 'Content-Length': '60000' });
    assert.equal(tooLong.status, 413);
    assert.equal(taken(server), 0);
  });

  test('counts decompressed bytes and elements', async () => {
    await using server = await withRoom(300_000);
    const packed = gzipSync(numbers(3 * LARGE, 3));
    const refused = await post(server, packed, { 'Content-Encoding': 'gzip' });
    assert.equal(refused.status, 413);
    const elements = await post(server, numbers(LARGE, 3));
    assert.equal(elements.status, 413, await elements.clone().text());
    assert.match(await elements.text(), /more memory than the server keeps/);
    assert.equal(taken(server), 0);
  });

  test('gets the bytes of a request back exactly once, however the request ends', async () => {
    await using server = await withRoom(8_000_000, { maxRequestBytes: 2_000_000 });
    const right = numbers(3 * LARGE, 3);
    const packed = { 'Content-Encoding': 'gzip' };
    const piece = (bytes: Uint8Array, then: 'close' | 'error') =>
      new ReadableStream({
        start(control) {
          control.enqueue(bytes);
          if (then === 'close') control.close();
          else control.error(new DOMException('The connection was closed.', 'AbortError'));
        },
      });
    const length = { 'Content-Length': String(right.length) };
    const kinds: Readonly<Record<string, () => Promise<Response>>> = {
      right: () => post(server, right, length),
      'right, in pieces': () => post(server, piece(right, 'close')),
      'right, in gzip': () => post(server, gzipSync(right), packed),
      'right, in deflate': () =>
        post(server, deflateSync(right), { 'Content-Encoding': 'deflate' }),
      'of no such coding': () => post(server, right, { 'Content-Encoding': 'br' }),
      'not gzip': () => post(server, right, packed),
      'cut off gzip': () => post(server, gzipSync(right).subarray(0, 400), packed),
      'not JSON': () => post(server, right.subarray(0, -1), length),
      'for another shape': () => post(server, numbers(LARGE), length),
      'gone in the middle': () => post(server, piece(right, 'error')),
      'gone while it is parsed': () => {
        const client = new AbortController();
        const response = post(server, right, length, client.signal);
        setTimeout(() => client.abort(), 1);
        return response;
      },
      'past its deadline': () => post(server, right, { ...length, 'X-Request-Timeout-Ms': '1' }),
      'too long': () => post(server, piece(new Uint8Array(2_100_000), 'close')),
      'too long in gzip': () => post(server, gzipSync(new Uint8Array(2_100_000)), packed),
    };
    for (let round = 0; round < 3; round += 1) {
      const all = Object.entries(kinds).map(async ([kind, send]) => [kind, (await send()).status]);
      const statuses = Object.fromEntries(await Promise.all(all)) as Record<string, number>;
      const known = [200, 400, 413, 415, 499, 503, 504];
      for (const [kind, status] of Object.entries(statuses))
        assert.ok(known.includes(status), `${kind}: ${status}`);
      await until(() => taken(server) === 0, `all is given back: ${taken(server)}`);
      assert.equal(server.runtime.admission.inFlight, 0);
    }
    for (const kind of ['right', 'right, in pieces', 'right, in gzip', 'right, in deflate']) {
      const response = await kinds[kind]!();
      assert.equal(response.status, 200, `${kind}: ${await response.clone().text()}`);
    }
    assert.equal(taken(server), 0);
  });
});

test('a JSON body counts against the byte budget until the response', async () => {
  await using server = await inference(files, {}, { service: prediction });
  const infer = server.runtime.infer;
  let counted = 0;
  Object.assign(server.runtime, {
    infer: (...call: Parameters<typeof infer>) => {
      counted = taken(server);
      return infer(...call);
    },
  });
  const { status } = await server.post('/predict', { features: Array(20_000).fill(1) });
  assert.equal(status, 400);
  assert.ok(counted > 20_000, String(counted));
  assert.equal(taken(server), 0);
});

test('the memory of a body is freed with the response, also if it is refused or split', async () => {
  const bounded = { ...files, 'f/config.pbtxt': 'max_batch_size: 256 dynamic_batching {}' };
  await using server = await inference(bounded);
  const { infer } = server.runtime;
  for (const [row, status] of [
    [3, 200],
    [5, 400],
  ] as const) {
    const memory: ArrayBufferLike[] = [];
    let isLent = false;
    const spied: typeof infer = (steps, request, caller) =>
      infer(
        {
          ...steps,
          async prepare(body, version) {
            const prepared = await steps.prepare(body, version);
            isLent = prepared.share !== undefined;
            for (const { x } of prepared.runs) memory.push((x!.data as Float32Array).buffer);
            return prepared;
          },
        },
        request,
        caller,
      );
    Object.assign(server.runtime, { infer: spied });
    const response = await post(server, numbers(LARGE, row));
    assert.equal(response.status, status, await response.text());
    assert.ok(isLent, 'a response that comes early does not free what the engine reads');
    assert.deepEqual(
      memory.map(({ byteLength }) => byteLength),
      [0],
    );
  }
});

describe('an error of the codec', () => {
  const context = { request: new Request(`http://test${PATH}`) } as RequestContext;
  const decode = async (error: Error) => {
    await using server = await inference(files);
    const tryParseInferRequest = () => {
      throw error;
    };
    const runtime = { ...server.runtime, codec: { ...server.runtime.codec, tryParseInferRequest } };
    return inferRoute(runtime, PATH).decode(new Uint8Array(3), context);
  };

  test('is the client’s fault if it is an invalid argument', async () => {
    const error = new MillraceError('INVALID_ARGUMENT', 'inputs is missing');
    await assert.rejects(decode(error), { code: 'INVALID_ARGUMENT', message: /inputs is missing/ });
  });

  test('is not the client’s fault if it is any other', async () => {
    const memory = new MillraceError('RESOURCE_EXHAUSTED', 'There is no memory');
    await assert.rejects(decode(memory), { code: 'OVERLOADED' });
    const fault = new RangeError('Array buffer allocation failed');
    await assert.rejects(decode(fault), (error) => error === fault);
  });
});

test('only an error of the connection is an incomplete body', () => {
  const closed = new DOMException('The connection was closed.', 'AbortError');
  assert.ok(asBodyError(closed) instanceof ServeError);
  const fault = new RangeError('Array buffer allocation failed');
  assert.equal(asBodyError(fault), fault);
});

describe('bodies of control routes', () => {
  const load = '/v2/repository/models/f/load';
  const explicit: Partial<Config> = { modelControlMode: 'explicit', loadModels: ['f'] };

  test('are limited by MAX_LOAD_BYTES', async () => {
    await using server = await inference(files, { ...explicit, maxLoadBytes: 2000 });
    const { status, json } = await server.post(load, { parameters: { config: 'x'.repeat(3000) } });
    assert.equal(status, 413);
    assert.match(json.error, /longer than 2000 bytes/);
    assert.equal(taken(server), 0);
  });

  test('must arrive within BODY_TIMEOUT_MS, and only a few are read at once', async () => {
    await using server = await inference(files, { ...explicit, bodyTimeoutMs: 300 });
    const stalled = () =>
      server.app.request(load, {
        method: 'POST',
        body: new ReadableStream({ start: (each) => each.enqueue(encoder.encode('{')) }),
        headers: { 'Content-Type': 'application/json' },
        duplex: 'half',
      } as RequestInit);
    const slow = Array.from({ length: 16 }, stalled);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await server.post(load, {})).status, 503);
    for (const each of slow) assert.equal((await each).status, 408);
    assert.equal((await server.post(load, {})).status, 200);
  });

  test('count until the load that they are for has ended', async () => {
    await using server = await inference(files, explicit);
    const gate = Promise.withResolvers<void>();
    Object.assign(server.runtime.repository, { load: () => gate.promise });
    const config = JSON.stringify({ backend: 'onnxruntime', name: 'x'.repeat(20_000) });
    const loading = server.post(load, { parameters: { config } });
    await until(() => taken(server) > 20_000, 'the body is counted');
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.ok(taken(server) > 20_000);
    gate.resolve();
    assert.equal((await loading).status, 200);
    assert.equal(taken(server), 0);
  });

  test('with files that are almost base64 are refused in linear time', async () => {
    await using server = await inference(files, explicit);
    for (const file of [`${' '.repeat(200_000)}!`, `${'= '.repeat(100_000)}`, 'AAAA=x', 'A===']) {
      const from = performance.now();
      const parameters = { config: '{}', 'file:1/model.onnx': file };
      const { status, json } = await server.post(load, { parameters });
      assert.equal(status, 400);
      assert.match(json.error, /base64/);
      assert.ok(performance.now() - from < 1500, file.slice(0, 10));
    }
  });
});

test('a message is redacted in linear time', () => {
  for (const unit of ['a-', '/', '/a', '"/a', '0x', 'a.', ' ', '-']) {
    const from = performance.now();
    redact(unit.repeat(100_000));
    assert.ok(performance.now() - from < 1500, unit);
  }
});

test('JSON with too many values is refused, and an image is not', () => {
  const picture = JSON.stringify({ features: Array.from({ length: 150_528 }, (_, i) => i / 255) });
  assert.equal((parseJson(picture) as { features: number[] }).features.length, 150_528);
  const members = (count: number) =>
    `{${Array.from({ length: count }, (_, i) => `"m${i}":0`).join()}}`;
  assert.ok(parseJson(members(10_000)));
  assert.ok(parseJson(JSON.stringify({ text: ':,[{'.repeat(500_000) })));
  for (const text of [
    `[${'0,'.repeat(600_001)}0]`,
    `[${'{},'.repeat(200_000)}0]`,
    `[${'[0],'.repeat(200_000)}0]`,
    members(25_000),
  ]) {
    assert.throws(() => parseJson(text), { code: 'INVALID_ARGUMENT', message: /more values/ });
  }
});
