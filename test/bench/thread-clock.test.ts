import assert from 'node:assert/strict';
import { test } from 'node:test';
import { threadClock } from '../../bench/suites/block/thread-clock.ts';

test('threadClock advances with every reading, in compiled code too', () => {
  const clock = threadClock();
  let last = clock();
  let stuck = 0;
  for (let i = 0; i < 200_000; i += 1) {
    const now = clock();
    if (now <= last) stuck += 1;
    last = now;
  }
  assert.equal(stuck, 0);
});
