import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../../runtime/admission.ts';

test('Admission gives as many permits as its limit and takes them back', () => {
  const admission = new Admission(2);
  assert.equal(admission.acquire(), undefined);
  assert.equal(admission.acquire(), undefined);
  assert.equal(admission.acquire()?.code, 'OVERLOADED');
  assert.equal(admission.inFlight, 2);
  admission.release();
  assert.equal(admission.acquire(), undefined);
});

test('Admission drains when the last permit is back, and gives no more', async () => {
  const admission = new Admission(2);
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

test('Admission drains at once when nothing is in flight', () => new Admission(1).drain());
