import assert from 'node:assert/strict';
import { test } from 'node:test';
import { best, paddedResponse, predictResponse } from '../../bench/lib/response.ts';
import { mismatch } from '../../bench/lib/servers.ts';

test('best finds the highest score, also among negative ones, the first of equals', () => {
  assert.deepEqual(best([-3, -1, -2]), { index: 1, score: -1 });
  assert.deepEqual(best([5, 7, 7]), { index: 1, score: 7 });
});

test('paddedResponse has as many bytes as asked for', () => {
  for (const bytes of [150, 175, 300]) {
    assert.equal(JSON.stringify(paddedResponse(bytes)).length, bytes);
  }
});

test('mismatch accepts the model’s prediction within the tolerance and nothing else', () => {
  const reference = { features: [1], scores: Float32Array.of(0.1, 0.7, 0.2) };
  const right = predictResponse([0.1, 0.7002, 0.2], 1);
  assert.equal(mismatch(right, reference), undefined);
  assert.match(mismatch({ ...right, prediction: 0 }, reference)!, /class 0, expected 1/);
  assert.match(mismatch({ ...right, confidence: 0.6 }, reference)!, /score 0.6/);
  assert.match(mismatch({ ...right, confidence: Number.NaN }, reference)!, /score NaN/);
});
