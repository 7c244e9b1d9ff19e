/** @module Tests the gRPC services for health and reflection, and deadlines of calls. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { until } from '../../support/until.ts';
import { fails, healthClient, type Message, reflectionClient, withClient } from './grpc-client.ts';

const identity = { 'f/1/model.onnx': '=identity-float32' };
const SERVICE = 'inference.GRPCInferenceService';

test('the health service reports the server and the inference service', () =>
  withClient(identity, async (_client, _server, port) => {
    const client = healthClient(port);
    const check = (service: string) =>
      new Promise<Message>((resolve, reject) => {
        client.check({ service }, (error: Error | null, response: Message) =>
          error === null ? resolve(response) : reject(error),
        );
      });
    try {
      assert.equal((await check('')).status, 1);
      assert.equal((await check(SERVICE)).status, 1);
      await fails(check('other'), status.NOT_FOUND);
      await fails(check('o'.repeat(2 ** 20)), status.NOT_FOUND);
    } finally {
      client.close();
    }
  }));

test('reflection lists the service and returns its definition with all dependencies', () =>
  withClient(identity, async (_client, _server, port) => {
    const client = reflectionClient(port);
    const ask = (request: object) =>
      new Promise<Message>((resolve, reject) => {
        const call = client.serverReflectionInfo();
        call.on('data', (response: Message) => {
          resolve(response);
          call.end();
        });
        call.on('error', reject);
        call.write(request);
      });
    try {
      const { listServicesResponse } = await ask({ listServices: '*' });
      const services = listServicesResponse.service.map(({ name }: Message) => name);
      assert.ok(services.includes(SERVICE), services.join());
      const described = await ask({ fileContainingSymbol: SERVICE });
      const files = described.fileDescriptorResponse.fileDescriptorProto;
      const text = Buffer.concat(files).toString('latin1');
      for (const name of ['ModelInferRequest', 'ModelStreamInfer', 'ModelInstanceGroup']) {
        assert.ok(text.includes(name), name);
      }
    } finally {
      client.close();
    }
  }));

describe('a deadline', () => {
  const files = {
    's/1/model.onnx': '=slow-loop',
    's/config.pbtxt': 'max_batch_size: 1 instance_group { kind: KIND_CPU }',
  };
  const slow = (turns: number) => ({
    model_name: 's',
    inputs: [
      {
        name: 'iterations',
        datatype: 'INT64',
        shape: ['1', '1'],
        contents: { int64_contents: [String(turns)] },
      },
    ],
  });

  test('that passes while the request is queued cancels the request', () =>
    withClient(files, async (client, server) => {
      const stats = () =>
        server.runtime.routes.describe({ model: 's', version: undefined }).stats();
      const long = client.call('ModelInfer', slow(400_000));
      await until(() => stats().running === 1, 'the first one runs');
      const before = stats();
      const late = client.call('ModelInfer', slow(1000), new Date(Date.now() + 100));
      await fails(late, status.DEADLINE_EXCEEDED);
      await long;
      await until(() => stats().queued + stats().running === 0, 'nothing is left');
      const { completed, expired, cancelled } = stats();
      assert.equal(completed - before.completed, 1, 'the first one alone');
      // Either the batcher notices the deadline first, or the client cancels the call.
      assert.equal(expired + cancelled - before.expired - before.cancelled, 1);
    }));

  test('that is too short for any run gets DEADLINE_EXCEEDED at once', () =>
    withClient(files, async (client) => {
      const past = client.call('ModelInfer', slow(1000), new Date(Date.now() - 1));
      await fails(past, status.DEADLINE_EXCEEDED);
    }));
});
