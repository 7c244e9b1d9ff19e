/** @module A gRPC client of @grpc/grpc-js for the protocol, and a server for it. */

import assert from 'node:assert/strict';
import path from 'node:path';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  type ServiceError,
  type status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { listenGrpc } from '../../../services/inference/grpc/server.ts';
import { type Files, type Inference, inference, type Parts } from './support.ts';

const top = path.resolve(import.meta.dirname, '../../..');
const definition = loadSync('inference.proto', {
  keepCase: true,
  longs: String,
  defaults: true,
  oneofs: true,
  includeDirs: ['services/inference/grpc', 'runtime/repository'].map((dir) => path.join(top, dir)),
});

// biome-ignore lint/suspicious/noExplicitAny: the types of messages are known only at run time
export type Message = any;

export interface GrpcClient {
  call(method: string, message: object, deadline?: Date): Promise<Message>;
  stream(): ClientDuplexStream<object, Message>;
  /** Calls a method with bytes in place of an encoded message. */
  send(method: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** Opens a stream whose requests are bytes in place of encoded messages. */
  sendStream(): ClientDuplexStream<Uint8Array, Message>;
  close(): void;
}

/**
 * The arguments of a client, which shares no connection with others. By default, grpc-js keeps a connection that has failed,
 * and a client gets it whose server has the port of one that has stopped.
 */
export const channelTo = (port: number, host = '127.0.0.1') => {
  const options = { 'grpc.use_local_subchannel_pool': 1 };
  return [`${host}:${port}`, credentials.createInsecure(), options] as const;
};

const packages = path.join(top, 'node_modules');

/** The definitions in a file of a package of the gRPC project. */
const definitionsIn = (file: string): Message =>
  loadPackageDefinition(loadSync(path.join(packages, file), { defaults: true }));

/** Creates a client of the health service, which the caller must close. */
export function healthClient(port: number): Message {
  const { grpc } = definitionsIn('grpc-health-check/proto/health/v1/health.proto');
  return new grpc.health.v1.Health(...channelTo(port));
}

/** Creates a client of the reflection service, which the caller must close. */
export function reflectionClient(port: number): Message {
  const file = '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';
  const { grpc } = definitionsIn(file);
  return new grpc.reflection.v1.ServerReflection(...channelTo(port));
}

/** Creates the client of the library itself, whose calls take and return metadata. The caller must close it. */
export function libraryClient(port: number): Message {
  const { inference: names } = loadPackageDefinition(definition) as Message;
  return new names.GRPCInferenceService(...channelTo(port));
}

/** Creates a client, which the caller must close. */
export function connect(port: number, host = '127.0.0.1'): GrpcClient {
  const { inference: names } = loadPackageDefinition(definition) as Message;
  const client = new names.GRPCInferenceService(...channelTo(port, host));
  const plain = new Client(...channelTo(port, host));
  return {
    call: (method, message, deadline) =>
      new Promise((resolve, reject) => {
        const options = deadline === undefined ? {} : { deadline };
        client[method](message, options, (error: ServiceError | null, response: Message) =>
          error === null ? resolve(response) : reject(error),
        );
      }),
    stream: () => client.ModelStreamInfer(),
    send: (method, bytes) =>
      new Promise((resolve, reject) => {
        plain.makeUnaryRequest(
          `/inference.GRPCInferenceService/${method}`,
          (message: Uint8Array) => Buffer.from(message),
          (response: Buffer): Uint8Array => response,
          bytes,
          (error, response) => (error === null ? resolve(response!) : reject(error)),
        );
      }),
    sendStream: () => {
      const { path: method, responseDeserialize } =
        names.GRPCInferenceService.service.ModelStreamInfer;
      const bytes = (message: Uint8Array) => Buffer.from(message);
      return plain.makeBidiStreamRequest(method, bytes, responseDeserialize);
    },
    close: () => {
      client.close();
      plain.close();
    },
  };
}

/** Runs `body` with a client of a server that has these files in its repository. */
export async function withClient(
  files: Files,
  body: (client: GrpcClient, server: Inference, port: number) => Promise<void>,
  settings: Parameters<typeof inference>[1] = {},
  parts: Parts = {},
): Promise<void> {
  await using server = await inference(files, settings, parts);
  const listener = await listenGrpc(server.runtime, '127.0.0.1', 0);
  const client = connect(listener.port);
  try {
    await body(client, server, listener.port);
  } finally {
    client.close();
    await listener.stop();
  }
}

/** Checks that a call ends with this code and message. */
export const fails = (promise: Promise<unknown>, code: status, message = /./) =>
  assert.rejects(promise, (error: ServiceError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.details, message);
    return true;
  });
