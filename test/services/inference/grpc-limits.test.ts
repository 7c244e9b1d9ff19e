/** @module Tests that no gRPC message takes long to decode: each is refused or decoded in little CPU time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ServeError } from '../../../runtime/index.ts';
import { toCodecRequest } from '../../../services/inference/grpc/convert.ts';
import { EncodedMessage } from '../../../services/inference/grpc/encoded-message.ts';
import type { ModelInferRequest } from '../../../services/inference/grpc/messages.ts';
import { loadSchema } from '../../../services/inference/grpc/schema.ts';
import { assertBelow, processMs } from '../../support/below.ts';
import { field, MIB, repeated, request } from './grpc-bytes.ts';
import { fails, withClient } from './grpc-client.ts';

const identity = { 'f/1/model.onnx': '=identity-float32' };
const contents = (...bytes: Uint8Array[]) => request('INT64', [1], ...bytes);
const parameter = (key: string) => field(4, field(1, Buffer.from(key)), field(2, Buffer.of(8, 1)));
const parameters = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => parameter(index.toString(36))));

/** Messages of 2 MiB and more. */
const LARGE: Readonly<Record<string, readonly [method: string, bytes: () => Buffer]>> = {
  'INT64 elements of a byte': ['ModelInfer', () => contents(field(3, repeated(16 * MIB, 1)))],
  'INT32 elements of a byte': ['ModelInfer', () => contents(field(2, repeated(16 * MIB, 1)))],
  'BYTES elements without bytes': ['ModelInfer', () => contents(repeated(8 * MIB, 66, 0))],
  'elements that are not packed': ['ModelInfer', () => contents(repeated(8 * MIB, 24, 1))],
  'dimensions that are not packed': ['ModelInfer', () => field(5, repeated(8 * MIB, 24, 1))],
  inputs: ['ModelInfer', () => repeated(MIB, 42, 0)],
  'inputs with contents': ['ModelInfer', () => repeated(MIB / 2, 42, 2, 42, 0)],
  'contents of an input': ['ModelInfer', () => field(5, repeated(MIB, 42, 0))],
  outputs: ['ModelInfer', () => repeated(MIB, 50, 0)],
  parameters: ['ModelInfer', () => parameters(20_000)],
  'parameters of an output': ['ModelInfer', () => field(6, repeated(MIB / 2, 18, 2, 18, 0))],
  'parameters of a load request': ['RepositoryModelLoad', () => repeated(MIB / 2, 26, 2, 18, 0)],
  ids: ['ModelInfer', () => repeated(5 * MIB, 26, 1, 65)],
  'bytes of an id': ['ModelInfer', () => field(3, repeated(16 * MIB, 65))],
  'unknown fields': ['ModelInfer', () => repeated(8 * MIB, 120, 1)],
  'names of a model': ['ModelMetadata', () => repeated(8 * MIB, 10, 0)],
};

describe('a request of too many', () => {
  for (const [what, [method, make]] of Object.entries(LARGE)) {
    test(`${what} is refused`, () =>
      withClient(identity, (client) =>
        fails(
          client.send(method, make()),
          status.RESOURCE_EXHAUSTED,
          /send large tensors in raw_input_contents/,
        ),
      ));
  }
});

/** Messages that are hardest to decode among those that are permitted or a little larger. */
const HARDEST: Readonly<Record<string, () => Buffer>> = {
  ...Object.fromEntries(Object.entries(LARGE).map(([what, [, make]]) => [what, make])),
  dimensions: () => field(5, field(3, repeated(16 * MIB, 1))),
  'FP32 elements': () => request('FP32', [15 * MIB], field(6, repeated(15 * MIB, 0, 0, 128, 63))),
  'FP64 elements': () =>
    request('FP64', [7 * MIB], field(7, repeated(7 * MIB, 0, 0, 0, 1, 2, 3, 4, 5))),
  'INT64 elements': () => request('INT64', [2 * MIB], field(3, repeated(2 * MIB, 1))),
  'INT8 elements': () => request('INT8', [2 * MIB], field(2, repeated(2 * MIB, 1))),
  'BOOL elements': () => request('BOOL', [2 * MIB], field(1, repeated(2 * MIB, 1))),
  'BYTES elements': () => request('BYTES', [131_072], repeated(131_072, 66, 1, 65)),
  'inputs that are permitted': () => repeated(2200, 42, 2, 42, 0),
  'parameters that are permitted': () => parameters(3000),
  'raw contents': () => repeated(140_000, 58, 0),
};

test('every message is refused or decoded within 100 ms of CPU time', (t) =>
  withClient(
    identity,
    async (_client, { runtime: { bodies } }) => {
      const type = loadSchema().lookupType('ModelInferRequest');
      for (const [what, make] of Object.entries(HARDEST)) {
        const bytes = make();
        const decode = async () => {
          const message = new EncodedMessage<ModelInferRequest>(bytes, type);
          const decoded = message.decodedFor(bodies, (decoded, share) => {
            toCodecRequest(decoded, share);
          });
          await decoded.catch((error) => assert.ok(error instanceof ServeError, error));
        };
        const times = await assertBelow(100, 5, () => processMs(decode), what);
        t.diagnostic(`${what}: ${times.map(Math.round).join(', ')} ms`);
        assert.equal(bodies.bytes.taken, 0);
      }
    },
    { maxBodyBytesInFlight: 256 * MIB },
  ));
