/** @module Tests gRPC streams: their end when the server stops, slow readers, and metrics of their requests. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type ServiceError, status } from '@grpc/grpc-js';
import { type Runtime, ServeError } from '../../../runtime/index.ts';
import { listenGrpc } from '../../../services/inference/grpc/server.ts';
import { ResponseStream } from '../../../services/inference/grpc/stream.ts';
import { sumOf } from '../../support/metrics.ts';
import { until } from '../../support/until.ts';
import {
  connect,
  fails,
  type GrpcClient,
  healthClient,
  type Message,
  reflectionClient,
  withClient,
} from './grpc-client.ts';
import { type Files, type Inference, inference } from './support.ts';

const identity = { 'f/1/model.onnx': '=identity-float32' };
const slowModel = { 's/1/model.onnx': '=slow-loop' };
const float = (id = '') => ({
  model_name: 'f',
  id,
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], contents: { fp32_contents: [1, 2, 3] } }],
});
const slow = (turns: number) => ({
  model_name: 's',
  inputs: [
    {
      name: 'iterations',
      datatype: 'INT64',
      shape: [1, 1],
      contents: { int64_contents: [String(turns)] },
    },
  ],
});

/** The responses of a stream, and the status that it ends with. */
function follow(stream: ReturnType<GrpcClient['stream']>) {
  const responses: Message[] = [];
  const ended = new Promise<status>((resolve) => {
    let code = status.OK;
    stream.on('data', (response: Message) => responses.push(response));
    // The client emits the status before the last responses.
    stream.on('error', (error: ServiceError) => {
      code = error.code;
    });
    stream.on('end', () => resolve(code));
  });
  return { responses, ended };
}

/** The numbers of stream requests that ended with OK, NOT_FOUND and INTERNAL. */
async function counts(runtime: Runtime): Promise<number[]> {
  const page = await runtime.metrics.render();
  return [status.OK, status.NOT_FOUND, status.INTERNAL].map((code) =>
    sumOf(page, 'grpc_requests_total', { method: 'ModelStreamInfer', code: String(code) }),
  );
}

/** Runs `body`, which stops the server, and checks that this takes much less than EXIT_TIMEOUT_MS. */
async function stopping(
  files: Files,
  body: (
    client: GrpcClient,
    stop: () => Promise<void>,
    server: Inference,
    port: number,
  ) => Promise<void>,
): Promise<void> {
  await using server = await inference(files);
  const listener = await listenGrpc(server.runtime, '127.0.0.1', 0);
  const client = connect(listener.port);
  let took = Number.NaN;
  try {
    await body(
      client,
      async () => {
        const started = performance.now();
        void server.runtime.admission.drain();
        await listener.stop();
        took = performance.now() - started;
      },
      server,
      listener.port,
    );
  } finally {
    client.close();
  }
  assert.ok(took < 4000, `the stop took ${took} ms`);
}

describe('when the server stops', () => {
  test('an idle stream ends with UNAVAILABLE at once', () =>
    stopping(identity, async (client, stop) => {
      const stream = client.stream();
      const { responses, ended } = follow(stream);
      stream.write(float('1'));
      await until(() => responses.length === 1, 'the request is answered');
      await stop();
      assert.equal(await ended, status.UNAVAILABLE);
    }));

  test('requests that a stream has sent get their responses before it ends', () =>
    stopping(slowModel, async (client, stop, { runtime }) => {
      const stream = client.stream();
      const { responses, ended } = follow(stream);
      const [before = Number.NaN] = await counts(runtime);
      for (let i = 0; i < 3; i += 1) stream.write(slow(100_000));
      await until(() => runtime.admission.inFlight === 3, 'the server has all of them');
      await stop();
      assert.equal(await ended, status.UNAVAILABLE);
      const [after = Number.NaN] = await counts(runtime);
      assert.equal(after - before, 3);
      // This client drops responses that it has not emitted yet if the status is not OK.
      for (const { error_message } of responses) assert.equal(error_message, '');
    }));

  test('a stream that its client has half-closed ends with OK', async () => {
    const sent: unknown[] = [];
    const call = new Duplex({
      objectMode: true,
      read: () => {},
      write: (response, _encoding, done) => {
        sent.push(response);
        done();
      },
    });
    const outcome = new Promise((resolve, reject) => {
      call.on('finish', () => resolve(sent)).on('error', reject);
    });
    const { promise: response, resolve: respond } = Promise.withResolvers<string>();
    const stream = new ResponseStream(call as never, 8, () => response);
    call.push('request');
    call.push(null);
    await once(call, 'end');
    stream.finish(new ServeError('DRAINING', 'The server stops.'));
    respond('response');
    assert.deepEqual(await outcome, ['response']);
  });

  test('streams of the health and reflection services end, too', () =>
    stopping(identity, async (client, stop, _server, port) => {
      await client.call('ServerLive', {});
      const health = healthClient(port);
      const reflection = reflectionClient(port);
      const watch = follow(health.watch({ service: '' }));
      const call = reflection.serverReflectionInfo();
      const info = follow(call);
      call.write({ listServices: '*' });
      await until(() => watch.responses.length + info.responses.length === 2, 'both are open');
      await stop();
      assert.equal(await watch.ended, status.UNAVAILABLE);
      assert.equal(await info.ended, status.UNAVAILABLE);
      health.close();
      reflection.close();
    }));
});

describe('a slow reader', () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  beforeEach(() => process.on('warning', warn));
  afterEach(() => process.off('warning', warn));

  test('of thousands of responses gets all of them in order, without additional listeners', () =>
    withClient(
      identity,
      async (client) => {
        const stream = client.stream();
        const ids: string[] = [];
        const ended = new Promise<void>((resolve, reject) => {
          stream.on('end', resolve).on('error', reject);
        });
        const sent = Array.from({ length: 3000 }, (_, i) => String(i));
        for (const id of sent) stream.write(float(id));
        stream.end();
        stream.on('data', ({ infer_response }: Message) => {
          ids.push(infer_response.id);
          if (ids.length % 500 !== 0) return;
          stream.pause();
          setTimeout(() => stream.resume(), 50);
        });
        await ended;
        assert.deepEqual(ids, sent);
        assert.deepEqual(warnings, []);
      },
      { maxInFlight: 64 },
    ));
});

describe('metrics of a stream', () => {
  test('count each of its requests by status, and faults are logged', () =>
    withClient({ ...identity }, async (client, { runtime }) => {
      const before = await counts(runtime);
      const logged: unknown[][] = [];
      runtime.log.error = (...entry: unknown[]) => logged.push(entry);
      const stream = client.stream();
      const { responses, ended } = follow(stream);
      stream.write(float('good'));
      stream.write({ ...float('unknown'), model_name: 'no' });
      await until(() => responses.length === 2, 'both are answered');
      // This error is a fault of the server.
      runtime.routes.describe({ model: 'f', version: undefined }).run = () =>
        Promise.reject(new Error('broken'));
      stream.write(float('fault'));
      stream.end();
      assert.equal(await ended, status.OK);
      assert.deepEqual(
        responses.map(({ infer_response }) => infer_response.id),
        ['good', 'unknown', 'fault'],
      );
      assert.equal(responses[2].error_message, 'The model failed to run.');
      assert.equal(logged.length, 1);
      const counted = await counts(runtime);
      assert.deepEqual(
        counted.map((count, i) => count - before[i]!),
        [1, 1, 1],
      );
    }));
});

describe('admission', () => {
  test('authenticates unary calls and streams by their metadata', () =>
    withClient(identity, async (client, { runtime }) => {
      const read: (string | null)[] = [];
      const authenticate = ({ get }: { get(name: string): string | null }) => {
        read.push(get('user-agent'), get('authorization'));
        return new ServeError('CONTROL_DISABLED', 'Nobody may.');
      };
      Object.assign(runtime, { access: { authenticate } });
      await fails(client.call('ServerLive', {}), status.UNAVAILABLE, /Nobody may/);
      const stream = client.stream();
      assert.equal(await follow(stream).ended, status.UNAVAILABLE);
      assert.match(String(read[0]), /grpc/);
      assert.deepEqual([read.length, read[1]], [4, null]);
    }));

  test('precedes decoding, and a refusal in a stream has the id of the request', () =>
    withClient(
      { ...identity, ...slowModel },
      async (client, { runtime }) => {
        const long = client.call('ModelInfer', slow(300_000));
        await until(() => runtime.admission.inFlight === 1, 'the only permit is taken');
        const garbage = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255);
        await fails(client.send('ModelInfer', garbage), status.UNAVAILABLE, /retry later/);
        const stream = client.stream();
        const { responses, ended } = follow(stream);
        stream.write(float('mine'));
        stream.end();
        assert.equal(await ended, status.OK);
        assert.match(responses[0].error_message, /retry later/);
        assert.equal(responses[0].infer_response.id, 'mine');
        await long;
      },
      { maxInFlight: 1 },
    ));

  test('counts the bytes of requests against the budget of all bodies', () =>
    withClient(
      identity,
      async (client, { runtime }) => {
        const inputs = [{ name: 'x', datatype: 'FP32', shape: [10_000, 3] }];
        const large = { model_name: 'f', inputs, raw_input_contents: [Buffer.alloc(120_000)] };
        await fails(client.call('ModelInfer', large), status.RESOURCE_EXHAUSTED, /for all bodies/);
        await client.call('ModelInfer', float());
        assert.equal(runtime.bodies.bytes.taken, 0);
      },
      { maxBodyBytesInFlight: 100_000 },
    ));

  for (const [maxInFlight, streams] of [
    [4, 100],
    [1000, 2000],
  ] as const) {
    test(`limits a connection to ${streams} streams if MAX_IN_FLIGHT is ${maxInFlight}`, () =>
      withClient(
        identity,
        async (_client, _server, port) => {
          const session = http2.connect(`http://127.0.0.1:${port}`);
          const settings = await new Promise<http2.Settings>((resolve, reject) => {
            session.on('remoteSettings', resolve).on('error', reject);
          });
          session.close();
          assert.equal(settings.maxConcurrentStreams, streams);
        },
        { maxInFlight },
      ));
  }
});
