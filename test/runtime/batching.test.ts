/** @module The key `batching` of model.json. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchingOptions, batchingSchema } from '../../runtime/batching.ts';

const sequence = {
  buckets: [16, 128],
  pad: { input_ids: 1 },
  mask: 'attention_mask',
  dimensions: ['logits:1'],
};

test('every key becomes the option of the engine that has the same name', () => {
  const batching = {
    maxRows: 8,
    maxDelayMs: 0,
    maxQueue: 9,
    maxRequestRows: 100,
    axes: { sequence_length: sequence, height: { buckets: [224], pad: 0.5 } },
    maxElements: 4096,
    rowBuckets: [1, 8],
  };
  assert.deepEqual(batchingOptions(batchingSchema.parse(batching)), batching);
});

test('options that are left out have the defaults of the engine', () => {
  assert.deepEqual(batchingOptions(batchingSchema.parse({})), {});
  assert.equal(batchingOptions(batchingSchema.parse(false)), false);
});

test('unknown keys and invalid values are refused', () => {
  for (const batching of [
    { axes: { sequence_length: {} } },
    { axes: { sequence_length: { buckets: [] } } },
    { axes: { sequence_length: { buckets: [0] } } },
    { axes: { sequence_length: { buckets: [1.5] } } },
    { axes: { sequence_length: { ...sequence, pads: 0 } } },
    { axes: { sequence_length: { ...sequence, pad: null } } },
    { axes: ['sequence_length'] },
    { maxElements: 0 },
    { rowBuckets: [] },
    { maxTokens: 4096 },
  ]) {
    assert.equal(batchingSchema.safeParse(batching).success, false, JSON.stringify(batching));
  }
});
