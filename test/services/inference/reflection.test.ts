/** @module Tests that reflection returns the descriptors that `protoc` would write. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import descriptor, { type IDescriptorProto } from 'protobufjs/ext/descriptor/index.js';
import { reflection } from '../../../services/inference/grpc/reflection.ts';
import { channelTo, type Message } from './grpc-client.ts';

const top = path.resolve(import.meta.dirname, '../../..');
const schema = loadSync('inference.proto', {
  keepCase: true,
  includeDirs: ['services/inference/grpc', 'runtime/repository'].map((dir) => path.join(top, dir)),
});
const protocol = loadSync(
  path.join(top, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'),
);

/** The response of a reflection server to one request. */
async function ask(request: object): Promise<Message> {
  const server = new Server();
  reflection(schema).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const { ServerReflection } = (loadPackageDefinition(protocol) as Message).grpc.reflection.v1;
  const client = new ServerReflection(...channelTo(port));
  const call = client.ServerReflectionInfo();
  try {
    return await new Promise((resolve, reject) => {
      call.on('data', resolve).on('error', reject);
      call.write(request);
    });
  } finally {
    call.end();
    client.close();
    server.forceShutdown();
  }
}

test('reflection lists the inference and health services', async () => {
  const { listServicesResponse } = await ask({ listServices: '*' });
  const names = listServicesResponse.service.map(({ name }: { name: string }) => name);
  assert.deepEqual(names.toSorted(), ['grpc.health.v1.Health', 'inference.GRPCInferenceService']);
});

test('maps and fields have the names that protoc gives them', async () => {
  const { fileDescriptorResponse } = await ask({
    fileContainingSymbol: 'inference.ModelInferRequest',
  });
  const messages = fileDescriptorResponse.fileDescriptorProto.flatMap((bytes: Uint8Array) => {
    const file: Message = descriptor.FileDescriptorProto.decode(bytes);
    return file.messageType;
  }) as IDescriptorProto[];
  const find = (name: string) => messages.find((message) => message.name === name)!;
  const request = find('ModelInferRequest');
  const parameters = request.field!.find(({ name }) => name === 'parameters')!;
  assert.equal(parameters.typeName, 'ParametersEntry');
  assert.ok(request.nestedType!.some(({ name }) => name === 'ParametersEntry'));
  const raw = request.field!.find(({ name }) => name === 'raw_input_contents')!;
  assert.equal(raw.jsonName, 'rawInputContents');
  const batching = find('ModelDynamicBatching');
  assert.ok(batching.nestedType!.some(({ name }) => name === 'PriorityQueuePolicyEntry'));
});
