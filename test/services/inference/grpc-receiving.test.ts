/** @module Tests what gRPC requests pass before they run: authentication, and limits on bytes and time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  credentials,
  loadPackageDefinition,
  type ServerInterceptingCall,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ServeError } from '../../../runtime/index.ts';
import { OpenCalls } from '../../../services/inference/grpc/open-calls.ts';
import { until } from '../../support/until.ts';
import { MIB } from './grpc-bytes.ts';
import { fails, type Message, withClient } from './grpc-client.ts';

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

/** Opens a call and sends a part of its message, which is announced as 1 MiB long. */
async function unfinished(port: number, method: string, sent: number) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': `${SERVICE}/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const ended = new Promise<http2.IncomingHttpHeaders>((resolve) => {
    // A status without a response comes in the headers.
    stream.on('response', resolve);
  });
  // The reset of the stream may be reported as an error.
  stream.on('error', () => {});
  const closed = new Promise((resolve) => {
    // On Deno a client that is still sending notices a reset as 'aborted', and emits 'close' only at its own end.
    stream.on('close', resolve).on('aborted', resolve);
  });
  stream.resume();
  stream.write(Buffer.of(0, 0, 16, 0, 0));
  stream.write(Buffer.alloc(sent));
  return { ended, closed, close: () => session.destroy() };
}

describe('a message that does not arrive completely', () => {
  test('ends its call after BODY_TIMEOUT_MS, and its bytes count until then', () =>
    withClient(
      identity,
      async (_client, { runtime }, port) => {
        const { taken } = runtime.bodies.bytes;
        const call = await unfinished(port, 'ModelInfer', 300_000);
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
          const call = await unfinished(port, method, 300_000);
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
      const call = await unfinished(port, 'ModelStreamInfer', 300_000);
      await until(() => runtime.bodies.bytes.taken > 300_000, 'the bytes are counted');
      call.close();
      await until(() => runtime.bodies.bytes.taken === 0, 'the bytes are given back');
    }));
});

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
      assert.equal(runtime.bodies.bytes.taken, 0);
    },
    { maxBodyBytesInFlight: 100_000 },
  ));

test('callers of reflection are authenticated, and those of health are not', () =>
  withClient(identity, async (_client, { runtime }, port) => {
    const authenticate = () => new ServeError('CROSS_SITE', 'Nobody may.');
    Object.assign(runtime, { access: { authenticate } });
    const packages = path.resolve(import.meta.dirname, '../../../node_modules');
    const load = (file: string): Message =>
      loadPackageDefinition(loadSync(path.join(packages, file)));
    const address = [`127.0.0.1:${port}`, credentials.createInsecure()];
    const { Health } = load('grpc-health-check/proto/health/v1/health.proto').grpc.health.v1;
    const health = new Health(...address);
    const reflectionFile = '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';
    const { ServerReflection } = load(reflectionFile).grpc.reflection.v1;
    const reflection = new ServerReflection(...address);
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
