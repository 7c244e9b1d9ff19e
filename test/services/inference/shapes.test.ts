/** @module Tests requests of different lengths to a model whose dynamic axes `model.json` declares. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from './support.ts';

const axes = { sequence_length: { buckets: [8, 4], mask: 'attention_mask' } };
const files = {
  'text/model.json': JSON.stringify({ batching: { axes, maxElements: 256 } }),
  'text/1/model.onnx': '=masked-mean',
};

const request = (length: number) => ({
  inputs: [
    {
      name: 'token_ids',
      datatype: 'INT64',
      shape: [1, length],
      data: Array.from({ length }, (_, i) => i % 8),
    },
  ],
});

test('outputs have the length of their request, without padding', async () => {
  await using server = await inference(files);
  const lengths = [1, 3, 4, 7, 8];
  const responses = await Promise.all(
    lengths.map((length) => server.post('/v2/models/text/infer', request(length))),
  );
  for (const [i, { status, json }] of responses.entries()) {
    assert.equal(status, 200, JSON.stringify(json));
    const [hidden, pooled] = (json as { outputs: { shape: number[]; data: number[] }[] }).outputs;
    assert.deepEqual(hidden!.shape, [1, lengths[i], 4]);
    assert.equal(hidden!.data.length, lengths[i]! * 4);
    assert.deepEqual(pooled!.shape, [1, 4]);
    for (const column of [0, 1, 2, 3]) {
      const numbers = hidden!.data.filter((_, at) => at % 4 === column);
      const mean = numbers.reduce((sum, value) => sum + value, 0) / lengths[i]!;
      assert.ok(Math.abs(pooled!.data[column]! - mean) < 1e-5, `${pooled!.data[column]} ${mean}`);
    }
  }
});

test('a request beyond the maximum length is refused with the limit', async () => {
  await using server = await inference(files);
  const { status, json } = await server.post('/v2/models/text/infer', request(9));
  assert.equal(status, 400);
  assert.match((json as { error: string }).error, /length 9 along 'sequence_length', .* at most 8/);
});
