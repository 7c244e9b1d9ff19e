import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchTurns } from '../../bench/suites/block/heartbeat.ts';

/** Clocks that only move when the test says so. */
function clocks() {
  const time = { cpu: 0, wall: 0 };
  return { time, cpu: () => time.cpu, wall: () => time.wall };
}

const turns = (count: number): Promise<void> =>
  count === 0
    ? Promise.resolve()
    : new Promise<void>((resolve) => setImmediate(resolve)).then(() => turns(count - 1));

test('watchTurns finds the longest turn on each clock', async () => {
  const { time, cpu, wall } = clocks();
  const blocks = await watchTurns(
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
  );
  assert.deepEqual(blocks, { longestCpuMs: 3, longestWallMs: 9 });
});

test('watchTurns counts the work before the first await and after the last', async () => {
  const { time, cpu, wall } = clocks();
  const first = await watchTurns(
    async () => {
      time.cpu += 2;
    },
    cpu,
    wall,
  );
  assert.equal(first.longestCpuMs, 2);
});

test('watchTurns passes on what the work throws', async () => {
  const { cpu, wall } = clocks();
  const work = () => Promise.reject(new Error('no model'));
  await assert.rejects(watchTurns(work, cpu, wall), /no model/);
});
