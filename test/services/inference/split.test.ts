/** @module Tests of the traffic split over the Open Inference Protocol: keys in JSON, in headers and in metadata. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Observation } from '../../../runtime/routing/observer.ts';
import type { Sticky } from '../../../runtime/routing/route.ts';
import { connect, libraryClient, type Message, withClient } from './grpc-client.ts';
import { binary, type Inference, inference } from './support.ts';

/** Two versions that take the same tensors. */
const files = { 'm/1/model.onnx': '=dynamic-axes', 'm/2/model.onnx': '=dynamic-axes' };
const users = Array.from({ length: 24 }, (_, i) => `user-${i}`);
const data = [1, 2, 3];
const tensor = { name: 'x', datatype: 'FP32', shape: [1, 3] };
const random = () => assert.fail('no random number is needed');

const divide = ({ runtime }: Inference, sticky?: Sticky) =>
  runtime.routes.change('m', { weights: { '1': 1, '2': 1 }, sticky, labels: {} });

/** Sends the requests of each user twice. @returns the version of each user, which must be the same both times. */
async function versionsOf(
  send: (
    user: string,
  ) => Promise<{ headers: Headers; status: number; text: string; json: Message }>,
): Promise<string[]> {
  const versions: string[] = [];
  for (const user of users) {
    const [first, second] = [await send(user), await send(user)];
    assert.equal(first.status, 200, first.text);
    const version = first.headers.get('x-model-version');
    assert.equal(second.headers.get('x-model-version'), version);
    if (first.headers.get('content-type') === 'application/json') {
      assert.equal(first.json.model_version, version);
    }
    versions.push(version!);
  }
  assert.equal(new Set(versions).size, 2);
  return versions;
}

describe('over HTTP', () => {
  const inputs = [{ ...tensor, data }];
  for (const [what, sticky, path, bodyOf] of [
    ['the id', { field: '/id' }, '/infer', (id: string) => ({ id, inputs })],
    [
      'a parameter',
      { field: '/parameters/user' },
      '/infer',
      (user: string) => ({ parameters: { user }, inputs }),
    ],
    ['a member of generate', { field: '/id' }, '/generate', (id: string) => ({ id, x: data })],
    [
      'a parameter of generate',
      { field: '/parameters/user' },
      '/generate_stream',
      (user: string) => ({ x: data, parameters: { user } }),
    ],
  ] as const) {
    test(`${what} is a key`, async () => {
      await using server = await inference(files, {}, { random });
      divide(server, sticky);
      await versionsOf((user) => server.post(`/v2/models/m${path}`, bodyOf(user)));
    });
  }

  test('a header is a key, also of a body that is one raw tensor or has binary tensors', async () => {
    await using server = await inference(files, {}, { random });
    divide(server, { header: 'X-User-Id' });
    const bytes = new Uint8Array(Float32Array.from(data).buffer);
    const raw = await versionsOf((user) =>
      server.post('/v2/models/m/infer', bytes, {
        'Inference-Header-Content-Length': '0',
        'X-User-Id': user,
      }),
    );
    const sized = { ...tensor, parameters: { binary_data_size: bytes.length } };
    const { body, headers } = binary({ inputs: [sized] }, bytes);
    const mixed = await versionsOf((user) =>
      server.post('/v2/models/m/infer', body, { ...headers, 'X-User-Id': user }),
    );
    assert.deepEqual(mixed, raw);
  });

  test('a version in the path is not split', async () => {
    await using server = await inference(files, {}, { random });
    divide(server, { field: '/id' });
    for (const id of users) {
      const response = await server.post('/v2/models/m/versions/1/infer', { id, inputs });
      assert.equal(response.json.model_version, '1');
      assert.equal(response.headers.get('x-model-version'), null);
    }
  });

  test('a raw body has no fields, so that its version is drawn', async () => {
    let draws = 0;
    const draw = () => {
      draws += 1;
      return 0.9;
    };
    await using server = await inference(files, {}, { random: draw });
    divide(server, { field: '/id' });
    const headers = { 'Inference-Header-Content-Length': '0' };
    const response = await server.post('/v2/models/m/infer', new Uint8Array(12), headers);
    assert.equal(response.headers.get('x-model-version'), '2');
    assert.equal(draws, 1);
  });
});

describe('over gRPC', () => {
  const inputs = [{ ...tensor, contents: { fp32_contents: data } }];
  const keyed = { header: 'x-user-id' };

  /** Makes a call. @returns its response or error, and the metadata at the start of the response */
  const call = (client: Message, message: object, sent: Metadata) =>
    new Promise<{ error: ServiceError | null; response: Message; metadata: Metadata }>(
      (resolve) => {
        let metadata = new Metadata();
        client
          .ModelInfer(message, sent, (error: ServiceError | null, response: Message) =>
            resolve({ error, response, metadata }),
          )
          .on('metadata', (received: Metadata) => {
            metadata = received;
          });
      },
    );

  const withMetadata = (values: Readonly<Record<string, string>>): Metadata => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(values)) metadata.set(name, value);
    return metadata;
  };

  test('metadata, the id and parameters are keys, with the same versions as over HTTP', async () => {
    await withClient(
      files,
      async (client, server, port) => {
        const library = libraryClient(port);
        const request = { model_name: 'm', inputs };
        const overHttp = { inputs: [{ ...tensor, data }] };
        divide(server, keyed);
        for (const user of users) {
          const sent = withMetadata({ 'x-user-id': user, 'x-request-id': `id-${user}` });
          const { response, metadata } = await call(library, request, sent);
          const http = await server.post('/v2/models/m/infer', overHttp, { 'X-User-Id': user });
          assert.equal(response.model_version, http.json.model_version);
          assert.deepEqual(metadata.get('x-model-version'), [response.model_version]);
          assert.deepEqual(metadata.get('x-request-id'), [`id-${user}`]);
        }
        for (const [field, given] of [
          ['/id', (user: string) => ({ id: user })],
          [
            '/parameters/user',
            (user: string) => ({ parameters: { user: { string_param: user } } }),
          ],
          [
            '/parameters/user',
            (user: string) => ({ parameters: { user: { int64_param: user.slice(5) } } }),
          ],
        ] as const) {
          divide(server, { field });
          const versions: string[] = [];
          for (const user of users) {
            const send = async () =>
              (await client.call('ModelInfer', { ...request, ...given(user) })).model_version;
            versions.push(await send());
            assert.equal(await send(), versions.at(-1));
          }
          assert.equal(new Set(versions).size, 2, field);
        }
        library.close();
      },
      {},
      { random },
    );
  });

  test('a call that fails names the version, and one that names its version has no metadata', async () => {
    await withClient(
      files,
      async (_, server, port) => {
        const library = libraryClient(port);
        divide(server);
        const wrong = [{ ...tensor, name: 'y', contents: { fp32_contents: data } }];
        const failed = await call(library, { model_name: 'm', inputs: wrong }, new Metadata());
        assert.equal(failed.error?.code, status.INVALID_ARGUMENT);
        assert.deepEqual(failed.metadata.get('x-model-version'), ['1']);
        const named = { model_name: 'm', model_version: '2', inputs };
        const { response, metadata } = await call(library, named, new Metadata());
        assert.equal(response.model_version, '2');
        assert.deepEqual(metadata.get('x-model-version'), []);
        library.close();
      },
      {},
      { random: () => 0 },
    );
  });

  test('each request of a stream is given to an arm, and observed by its id', async () => {
    const observed: Observation[] = [];
    const observer = {
      observe: (observation: Observation) => void observed.push(observation),
      compared() {},
    };
    await withClient(
      files,
      async (_, server, port) => {
        divide(server, { field: '/id' });
        const client = connect(port);
        const stream = client.stream();
        const responses: Message[] = [];
        const ended = new Promise((resolve) => stream.on('end', resolve));
        stream.on('data', (message: Message) => responses.push(message.infer_response));
        for (const id of users) stream.write({ model_name: 'm', id, inputs });
        stream.end();
        await ended;
        client.close();
        const versions = new Map(responses.map(({ id, model_version }) => [id, model_version]));
        assert.equal(new Set(versions.values()).size, 2);
        assert.deepEqual(
          new Map(observed.map(({ requestId, version }) => [requestId, version])),
          versions,
        );
      },
      {},
      { random, observer },
    );
  });
});
