import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchBlocks } from '../../bench/suites/block/heartbeat.ts';

/** Clocks that the test advances. */
function clocks() {
  const time = { cpu: 0, wall: 0 };
  return { time, cpu: () => time.cpu, wall: () => time.wall };
}

const turns = (count: number): Promise<void> =>
  count === 0
    ? Promise.resolve()
    : new Promise<void>((resolve) => setImmediate(resolve)).then(() => turns(count - 1));

test('watchBlocks finds the longest block on each clock', async () => {
  const { time, cpu, wall } = clocks();
  const blocks = await watchBlocks(
    async () => {
      await turns(2);
      time.cpu += 3;
      time.wall += 4;
      await turns(3);
      time.cpu += 1;
      time.wall += 9;
      await turns(2);
    },
    cpu,
    wall,
    setImmediate,
  );
  assert.deepEqual(blocks, { longestCpuMs: 3, longestWallMs: 9 });
});

test('watchBlocks includes the work before the first await and after the last', async () => {
  const { time, cpu, wall } = clocks();
  const first = await watchBlocks(
    async () => {
      time.cpu += 2;
    },
    cpu,
    wall,
    setImmediate,
  );
  assert.equal(first.longestCpuMs, 2);
});

test('watchBlocks rejects with the error of the work', async () => {
  const { cpu, wall } = clocks();
  const work = () => Promise.reject(new Error('no model'));
  await assert.rejects(watchBlocks(work, cpu, wall, setImmediate), /no model/);
});
