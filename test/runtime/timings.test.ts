import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact } from '../../runtime/errors.ts';
import { joinTimings, serverTiming } from '../../runtime/timings.ts';

const timings = { queueMs: 0.0414, computeMs: 12.3456, batchRows: 8, batchRequests: 3 };

test('Server-Timing has milliseconds with three decimals', () => {
  assert.equal(serverTiming(timings, 16), 'queue;dur=0.041, batch;desc="8/16", compute;dur=12.346');
});

test('the timings of several runs have the longest times and the sum of the rows', () => {
  const other = { queueMs: 1, computeMs: 2, batchRows: 4, batchRequests: 1 };
  assert.deepEqual(joinTimings([{ timings }, { timings: other }]), {
    queueMs: 1,
    computeMs: 12.3456,
    batchRows: 12,
    batchRequests: 3,
  });
});

test('redact removes folders and addresses, and leaves the rest of the sentence', () => {
  for (const [message, shown] of [
    ['Load model from /srv/m/1/model.onnx failed: bad', 'Load model from model.onnx failed: bad'],
    ["Cannot open '/a b/c.bin' at 0x7fF0", "Cannot open 'c.bin' at …"],
    ['file:///x/y.ts:3 threw', 'y.ts:3 threw'],
    ['and/or is no path', 'and/or is no path'],
  ] as const) {
    assert.equal(redact(message), shown);
  }
});
