/** @module Tests typed contents byte by byte: elements in several pieces, not packed, cut off, and of every length. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { readVarints, writeVarints } from '../../../services/inference/grpc/varints.ts';
import { field, request } from './grpc-bytes.ts';
import { fails, withClient } from './grpc-client.ts';

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const doubles = (...values: number[]) => Buffer.from(Float64Array.from(values).buffer);
/** An element that is not packed: 0 is the wire type of integers, 1 that of FP64 and 5 that of FP32. */
const single = (number: number, wireType: 0 | 1 | 5, bytes: Buffer) =>
  Buffer.concat([Buffer.of((number << 3) | wireType), bytes]);

/** By what is particular about them: the type of the model, its datatype, the contents, and the elements they hold. */
const CASES: Readonly<
  Record<string, readonly [string, string, readonly Buffer[], string, readonly unknown[]]>
> = {
  'FP32 in two pieces': [
    ...(['float32', 'FP32'] as const),
    [field(6, floats(1)), field(6, floats(2, 3))],
    ...(['fp32_contents', [1, 2, 3]] as const),
  ],
  'FP32 that are not packed': [
    ...(['float32', 'FP32'] as const),
    [1, 2, 3].map((value) => single(6, 5, floats(value))),
    ...(['fp32_contents', [1, 2, 3]] as const),
  ],
  'FP64 of which one is not packed, and an empty piece': [
    ...(['float64', 'FP64'] as const),
    [field(7, doubles(1, 2)), field(7), single(7, 1, doubles(3))],
    ...(['fp64_contents', [1, 2, 3]] as const),
  ],
  'INT64 of which one is not packed': [
    ...(['int64', 'INT64'] as const),
    [field(3, Buffer.of(1, 200, 1)), single(3, 0, Buffer.of(128, 1))],
    ...(['int64_contents', ['1', '200', '128']] as const),
  ],
  'BOOL, of which any but 0 is true': [
    ...(['bool', 'BOOL'] as const),
    [field(1, Buffer.of(0, 2)), single(1, 0, Buffer.of(128, 1))],
    ...(['bool_contents', [false, true, true]] as const),
  ],
  'BYTES beside an empty piece of another type': [
    ...(['string', 'BYTES'] as const),
    [field(6), field(8), field(8, Buffer.from('a')), field(8)],
    ...(['bytes_contents', [Buffer.of(), Buffer.from('a'), Buffer.of()]] as const),
  ],
};

describe('typed contents hold', () => {
  for (const [what, [model, datatype, contents, name, elements]] of Object.entries(CASES)) {
    test(what, () =>
      withClient({ 'f/1/model.onnx': `=identity-${model}` }, async (client) => {
        const stream = client.sendStream();
        stream.write(request(datatype, [1, 3], ...contents));
        const [{ error_message, infer_response }] = await once(stream, 'data');
        assert.equal(error_message, '');
        assert.deepEqual(infer_response.outputs[0].contents[name], elements);
        stream.end();
        await once(stream, 'end');
      }),
    );
  }

  test('no part of an element', () =>
    withClient({ 'f/1/model.onnx': '=identity-float32' }, async (client) => {
      const cut: readonly (readonly [string, Buffer, RegExp])[] = [
        ['FP32', field(6, floats(1), Buffer.of(1)), /5 bytes: expected a multiple of 4/],
        ['INT64', field(3, Buffer.of(1, 128)), /ends in the middle of an element/],
        ['INT64', field(3, Buffer.alloc(11, 255)), /ends in the middle of an element/],
        ['FP32', single(6, 5, Buffer.of(1)), /not its message/],
        ['INT8', field(2, Buffer.of(200, 1)), /holds 200, which is no INT8/],
      ];
      for (const [datatype, contents, message] of cut) {
        const bytes = request(datatype, [1, 3], contents);
        await fails(client.send('ModelInfer', bytes), status.INVALID_ARGUMENT, message);
      }
    }));
});

test('a string whose stated length passes the end of the message is refused', () =>
  withClient({ 'iris/1/model.onnx': '=identity-float32' }, async (client) => {
    const bytes = Buffer.concat([Buffer.of(10, 100), Buffer.from('iris')]);
    const call = client.send('ModelMetadata', bytes);
    await fails(call, status.INVALID_ARGUMENT, /not its message/);
  }));

test('integers are packed and read as the library packs them', () => {
  const edges = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit));
  const all = [0n, ...edges.flatMap((edge) => [edge - 1n, edge, -edge])];
  for (const made of [
    Int8Array.from(all, (value) => Number(BigInt.asIntN(8, value))),
    Int32Array.from(all, (value) => Number(BigInt.asIntN(32, value))),
    Uint32Array.from(all, (value) => Number(BigInt.asUintN(32, value))),
    BigInt64Array.from(all),
    BigUint64Array.from(all),
  ]) {
    const writer = protobuf.Writer.create();
    for (const value of made) writer.int64(String(value));
    const bytes = writeVarints(made);
    assert.deepEqual(bytes, Buffer.from(writer.finish()));
    const wide = made.BYTES_PER_ELEMENT === 8;
    const words = readVarints(bytes, wide)!;
    const expected = wide
      ? new Uint32Array(made.buffer)
      : Uint32Array.from(made as Int32Array, (value) => value >>> 0);
    assert.deepEqual([...words], [...expected]);
  }
});
