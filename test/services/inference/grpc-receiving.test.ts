/** @module Tests what gRPC requests pass before they run: authentication, and limits on bytes and time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { type ServerInterceptingCall, status } from '@grpc/grpc-js';
import { type Config, type Runtime, ServeError } from '../../../runtime/index.ts';
import { OpenCalls } from '../../../services/inference/grpc/open-calls.ts';
import { receiving } from '../../../services/inference/grpc/receiving.ts';
import { sumOf } from '../../support/metrics.ts';
import { until } from '../../support/until.ts';
import { MIB } from './grpc-bytes.ts';
import { fails, healthClient, type Message, reflectionClient, withClient } from './grpc-client.ts';

const identity = { 'f/1/model.onnx': '=identity-float32' };
const SERVICE = '/inference.GRPCInferenceService';

test('three million FP32 elements in typed contents are read', () =>
  withClient(identity, async (client) => {
    const fp32_contents = new Array<number>(3 * MIB).fill(1);
    const input = { name: 'x', datatype: 'FP32', shape: [MIB, 3], contents: { fp32_contents } };
    const call = client.call('ModelInfer', { model_name: 'f', inputs: [input] });
    // The model refuses them, and not the limit of a message.
    await fails(call, status.INVALID_ARGUMENT, /The request has 1048576 rows/);
  }));

interface Unfinished {
  /** The headers in which the status of a call without a response comes. */
  readonly ended: Promise<http2.IncomingHttpHeaders>;
  readonly trailers: Promise<http2.IncomingHttpHeaders>;
  readonly closed: Promise<unknown>;
  readonly stream: http2.ClientHttp2Stream;
  close(): void;
}

/** Opens a call that its client does not finish. */
function open(port: number, method: string, more: http2.OutgoingHttpHeaders = {}): Unfinished {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': `${SERVICE}/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  });
  const ended = new Promise<http2.IncomingHttpHeaders>((resolve) => {
    stream.on('response', resolve);
  });
  const trailers = new Promise<http2.IncomingHttpHeaders>((resolve) => {
    stream.on('trailers', resolve);
  });
  // The reset of the stream may be reported as an error.
  stream.on('error', () => {});
  const closed = new Promise((resolve) => {
    // On Deno a client that is still sending notices a reset as 'aborted', and emits 'close' only at its own end.
    stream.on('close', resolve).on('aborted', resolve);
  });
  stream.resume();
  return { ended, trailers, closed, stream, close: () => session.destroy() };
}

/** Opens a call and sends a part of its message, which is announced as 1 MiB long. */
function unfinished(port: number, method: string, sent: number, more?: http2.OutgoingHttpHeaders) {
  const call = open(port, method, more);
  call.stream.write(Buffer.of(0, 0, 16, 0, 0));
  call.stream.write(Buffer.alloc(sent));
  return call;
}

/** A message with the five bytes before it. */
function framed(message: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(5, flags);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** How many calls of ModelInfer have ended with this status, in all tests. */
const countOf = async (runtime: Runtime, code: status): Promise<number> =>
  sumOf(await runtime.metrics.render(), 'grpc_requests_total', {
    method: 'ModelInfer',
    code: String(code),
  });

const named = (model: string) => Buffer.concat([Buffer.of(10, model.length), Buffer.from(model)]);

describe('a message that does not arrive completely', () => {
  test('ends its call after BODY_TIMEOUT_MS, and its bytes count until then', () =>
    withClient(
      identity,
      async (_client, { runtime }, port) => {
        const { taken } = runtime.bodies.bytes;
        const call = unfinished(port, 'ModelInfer', 300_000);
        await until(() => runtime.bodies.bytes.taken > 300_000, 'the bytes are counted');
        const headers = await call.ended;
        assert.equal(Number(headers['grpc-status']), status.DEADLINE_EXCEEDED);
        assert.match(String(headers['grpc-message']), /within%201000%20ms/);
        await call.closed;
        assert.equal(runtime.bodies.bytes.taken, taken);
        call.close();
      },
      { bodyTimeoutMs: 1000 },
    ));

  for (const method of ['ModelInfer', 'ModelStreamInfer']) {
    test(`is refused if there is no room for its bytes, in ${method}`, () =>
      withClient(
        identity,
        async (client, { runtime }, port) => {
          const call = unfinished(port, method, 300_000);
          const headers = await call.ended;
          assert.equal(Number(headers['grpc-status']), status.RESOURCE_EXHAUSTED);
          await call.closed;
          call.close();
          assert.equal(runtime.bodies.bytes.taken, 0);
          await client.call('ServerLive', {});
        },
        { maxBodyBytesInFlight: 200_000 },
      ));
  }

  test('releases its bytes when the client cancels the call', () =>
    withClient(identity, async (_client, { runtime }, port) => {
      const call = unfinished(port, 'ModelStreamInfer', 300_000);
      await until(() => runtime.bodies.bytes.taken > 300_000, 'the bytes are counted');
      call.close();
      await until(() => runtime.bodies.bytes.taken === 0, 'the bytes are given back');
    }));

  test('is counted as CANCELLED when the client cancels the call', () =>
    withClient(identity, async (_client, { runtime }, port) => {
      const before = await countOf(runtime, status.CANCELLED);
      const call = unfinished(port, 'ModelInfer', 300_000);
      await until(() => runtime.bodies.bytes.taken > 300_000, 'the bytes are counted');
      call.close();
      const isCounted = async () => (await countOf(runtime, status.CANCELLED)) === before + 1;
      await until(isCounted, 'the call is counted');
    }));
});

/** Calls that the library ends before the client has half-closed them: what is sent, and the status. */
const ENDED: Readonly<
  Record<string, readonly [(port: number) => Unfinished, status, Partial<Config>]>
> = {
  'whose deadline passes': [
    (port) => unfinished(port, 'ModelInfer', 300_000, { 'grpc-timeout': '500m' }),
    status.DEADLINE_EXCEEDED,
    {},
  ],
  'whose second message is too large': [
    (port) => {
      const call = open(port, 'ModelInfer');
      call.stream.write(Buffer.concat([framed(named('f')), Buffer.of(0, 255, 0, 0, 0)]));
      return call;
    },
    status.RESOURCE_EXHAUSTED,
    {},
  ],
  'with two messages where one is expected': [
    (port) => {
      const call = open(port, 'ModelInfer');
      call.stream.write(Buffer.concat([framed(named('f')), framed(named('f'))]));
      return call;
    },
    status.UNIMPLEMENTED,
    {},
  ],
  'in an unknown encoding': [
    (port) => {
      const call = open(port, 'ModelInfer', { 'grpc-encoding': 'other' });
      call.stream.write(Buffer.concat([framed(named('f'), 1), Buffer.of(0, 0, 16, 0, 0, 1)]));
      return call;
    },
    status.UNIMPLEMENTED,
    {},
  ],
  'whose deadline passes in a stream': [
    (port) => unfinished(port, 'ModelStreamInfer', 300_000, { 'grpc-timeout': '500m' }),
    status.DEADLINE_EXCEEDED,
    {},
  ],
};

describe('a call that the client keeps open is closed by the server', () => {
  for (const [what, [start, code, settings]] of Object.entries(ENDED)) {
    test(what, () =>
      withClient(
        identity,
        async (client, { runtime }, port) => {
          const before = await countOf(runtime, code);
          const call = start(port);
          const headers = await call.ended;
          assert.equal(Number(headers['grpc-status']), code);
          await call.closed;
          call.close();
          await until(() => runtime.bodies.bytes.taken === 0, 'the bytes are given back');
          await client.call('ServerLive', {});
          // The requests of a stream are counted one by one.
          const counted = (await countOf(runtime, code)) - before;
          assert.equal(counted, what.includes('stream') ? 0 : 1);
        },
        settings,
      ),
    );
  }
});

describe('a message of a stream that does not arrive completely', () => {
  for (const before of [0, 1]) {
    test(`ends the stream after BODY_TIMEOUT_MS, after ${before} others`, () =>
      withClient(
        identity,
        async (_client, { runtime }, port) => {
          const call = open(port, 'ModelStreamInfer');
          for (let sent = 0; sent < before; sent += 1) {
            call.stream.write(framed(named('unknown')));
            await once(call.stream, 'data');
          }
          call.stream.write(Buffer.of(0, 0, 16, 0, 0));
          call.stream.write(Buffer.alloc(300_000));
          await until(() => runtime.bodies.bytes.taken > 300_000, 'the bytes are counted');
          const headers = await (before === 0 ? call.ended : call.trailers);
          assert.equal(Number(headers['grpc-status']), status.DEADLINE_EXCEEDED);
          await call.closed;
          await until(() => runtime.bodies.bytes.taken === 0, 'the bytes are given back');
          call.close();
        },
        { bodyTimeoutMs: 1000 },
      ));
  }
});

test('frames of a byte count more than their bytes', () =>
  withClient(
    identity,
    async (_client, { runtime }) => {
      const stream = new PassThrough();
      const codes: number[] = [];
      const call = { stream, sendStatus: ({ code }: { code: number }) => codes.push(code) };
      const method = { path: `${SERVICE}/ModelInfer`, requestStream: false };
      receiving(runtime, () => () => {})(method as never, call as never);
      for (let frames = 0; frames < 800; frames += 1) stream.emit('data', Buffer.of(0));
      assert.equal(codes[0], status.RESOURCE_EXHAUSTED);
      stream.destroy();
      await once(stream, 'close');
      assert.equal(runtime.bodies.bytes.taken, 0);
    },
    { maxBodyBytesInFlight: 100_000 },
  ));

test('a stream may be idle for longer than BODY_TIMEOUT_MS', () =>
  withClient(
    identity,
    async (client) => {
      const stream = client.stream();
      await new Promise((resolve) => setTimeout(resolve, 300));
      stream.write({ model_name: 'unknown' });
      const [response] = await once(stream, 'data');
      assert.match(response.error_message, /unknown/);
      stream.end();
      await once(stream, 'end');
    },
    { bodyTimeoutMs: 50 },
  ));

test('a stream request that fails keeps its id after its tensor was freed', () =>
  withClient(identity, async (client, { runtime }) => {
    const run = runtime.routes.resolve({ model: 'f', version: undefined });
    Object.assign(run, {
      run: ({ x }: Message) => {
        x.data.buffer.transfer(0);
        return Promise.reject(new ServeError('OVERLOADED', 'The queue is full.'));
      },
    });
    const stream = client.stream();
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [10_000, 3] }];
    stream.write({
      model_name: 'f',
      id: 'mine',
      inputs,
      raw_input_contents: [Buffer.alloc(120_000)],
    });
    const [response] = await once(stream, 'data');
    assert.match(response.error_message, /queue is full/);
    assert.equal(response.infer_response.id, 'mine');
    stream.end();
    await once(stream, 'end');
  }));

test('a load request counts against the byte budget', () =>
  withClient(
    identity,
    async (client, { runtime }) => {
      const parameters = { config: { string_param: 'x'.repeat(150_000) } };
      const load = client.call('RepositoryModelLoad', { model_name: 'f', parameters });
      await fails(load, status.RESOURCE_EXHAUSTED, /for all bodies/);
      await until(() => runtime.bodies.bytes.taken === 0, 'the bytes are given back');
    },
    { maxBodyBytesInFlight: 100_000 },
  ));

test('callers of reflection are authenticated, and those of health are not', () =>
  withClient(identity, async (_client, { runtime }, port) => {
    const authenticate = () => new ServeError('CROSS_SITE', 'Nobody may.');
    Object.assign(runtime, { access: { authenticate } });
    const health = healthClient(port);
    const reflection = reflectionClient(port);
    await new Promise<void>((resolve, reject) => {
      health.check({ service: '' }, (error: Error | null) => (error ? reject(error) : resolve()));
    });
    const call = reflection.serverReflectionInfo();
    call.on('data', () => {});
    const [error] = await once(call, 'error').catch((thrown) => [thrown]);
    assert.equal(error.code, status.PERMISSION_DENIED);
    health.close();
    reflection.close();
  }));

test('a call of the health service that arrives after the stop ends with UNAVAILABLE', async () => {
  const calls = new OpenCalls();
  await calls.stop();
  const codes: number[] = [];
  const call = { sendStatus: ({ code }: { code: number }) => codes.push(code) };
  const method = { path: '/grpc.health.v1.Health/Watch' };
  calls.interceptor(`${SERVICE}/`)(method as never, call as unknown as ServerInterceptingCall);
  assert.deepEqual(codes, [status.UNAVAILABLE]);
});
