import assert from 'node:assert/strict';
import { test } from 'node:test';
import { threadClock } from '../../bench/suites/block/thread-clock.ts';

const READINGS = 200_000;

test('threadClock advances with nearly every reading, in compiled code too', () => {
  const clock = threadClock();
  let last = clock();
  let stuck = 0;
  for (let i = 0; i < READINGS; i += 1) {
    const now = clock();
    assert.ok(now >= last, `${now} after ${last}`);
    if (now === last) stuck += 1;
    last = now;
  }
  // Some kernels count the time of a thread in steps, so two readings may be equal. A reading that compiled code has kept
  // would be equal for good.
  assert.ok(stuck < READINGS / 100, `${stuck} equal readings`);
});
