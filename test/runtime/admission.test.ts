import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../../runtime/admission.ts';

const admissionOf = (limit: number, waitMs = () => 0, now = () => 0) =>
  new Admission(limit, waitMs, { now });

test('Admission grants as many permits as its limit, and grants a released permit again', () => {
  const admission = admissionOf(2);
  assert.equal(admission.acquire(), undefined);
  assert.equal(admission.acquire(), undefined);
  assert.equal(admission.acquire()?.code, 'OVERLOADED');
  assert.equal(admission.inFlight, 2);
  admission.release();
  assert.equal(admission.acquire(), undefined);
});

test('Admission has drained when the last permit is released, and grants no more while it drains', async () => {
  const admission = admissionOf(2);
  admission.acquire();
  const order: string[] = [];
  const drained = Promise.all([admission.drain(), admission.drain()]).then(() =>
    order.push('drained'),
  );
  assert.equal(admission.acquire()?.code, 'DRAINING');
  assert.ok(admission.draining);
  order.push('released');
  admission.release();
  await drained;
  assert.deepEqual(order, ['released', 'drained']);
});

test('Admission drains at once when nothing is in flight', () => admissionOf(1).drain());

test('Admission says when to retry, and computes this from the queues at most ten times a second', () => {
  let now = 0;
  const waits = [2500, 700];
  const admission = admissionOf(
    1,
    () => waits.shift()!,
    () => now,
  );
  admission.acquire();
  const refused = () => admission.acquire()?.retryAfterMs;
  assert.equal(refused(), 2500);
  now = 99;
  assert.equal(refused(), 2500);
  now = 100;
  assert.equal(refused(), 700);
  assert.deepEqual(waits, []);
});
