import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedLoop, eagerTurns, openLoop, type Turns } from '../../bench/lib/load.ts';

/** A clock that each turn advances by a millisecond, and responses that are due at times of that clock. */
function simulated() {
  let time = 0;
  const pending: { at: number; settle: () => void }[] = [];
  const turns: Turns = {
    now: () => time,
    async next() {
      time += 1;
      for (const { settle } of pending.filter(({ at }) => at === time)) settle();
      // Reactions to settled promises run before the loop continues.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const after = (ms: number, error?: Error) =>
    new Promise<void>((resolve, reject) => {
      pending.push({ at: time + ms, settle: () => (error ? reject(error) : resolve()) });
    });
  return { turns, after };
}

test('closedLoop sends the next request of a client after its response and a round trip', async () => {
  const { turns, after } = simulated();
  const loop = { clients: 2, roundTrip: () => 2, warmUpMs: 0, milliseconds: 60 };
  const { latencies, perSecond } = await closedLoop(() => after(4), loop, turns);
  // Each client sends at 2, 8, 14 … and gets the response four milliseconds later.
  assert.deepEqual([...latencies], new Array(18).fill(4));
  assert.equal(perSecond, 300);
});

test('closedLoop excludes the warm-up', async () => {
  const { turns, after } = simulated();
  const loop = { clients: 1, roundTrip: () => 0, warmUpMs: 50, milliseconds: 20 };
  let sent = 0;
  const { latencies } = await closedLoop(() => after(++sent > 5 ? 5 : 10), loop, turns);
  assert.ok(latencies.length >= 3);
  assert.ok(latencies.every((ms) => ms <= 10));
  assert.ok(sent > latencies.length + 4);
});

test('closedLoop continues until there is a response', async () => {
  const { turns, after } = simulated();
  const loop = { clients: 1, roundTrip: () => 0, warmUpMs: 0, milliseconds: 10 };
  const { latencies, perSecond } = await closedLoop(() => after(40), loop, turns);
  assert.deepEqual([...latencies], [40]);
  assert.equal(perSecond, 25);
});

test('closedLoop rejects with the error of a request, after the other requests have ended', async () => {
  const { turns, after } = simulated();
  let sent = 0;
  let settled = 0;
  const send = async () => {
    sent += 1;
    await (sent === 3 ? after(1, new Error('no response')) : after(9));
    settled += 1;
  };
  const loop = { clients: 3, roundTrip: () => 0, warmUpMs: 0, milliseconds: 100 };
  await assert.rejects(closedLoop(send, loop, turns), /no response/);
  assert.deepEqual([sent, settled], [3, 2]);
});

test('openLoop sends due requests and passes the time at which they were due', async () => {
  let time = 100;
  const gaps: number[] = [];
  const turns: Turns = {
    now: () => time,
    async next(gapMs) {
      gaps.push(gapMs);
      time += gaps.length === 2 ? 50 : gapMs;
    },
  };
  const sent: [at: number, due: number][] = [];
  await openLoop((due) => sent.push([time, due]), Float64Array.of(0, 5, 10, 20, 70), turns);
  assert.deepEqual(sent, [
    [100, 100],
    [105, 105],
    [155, 110],
    [155, 120],
    [170, 170],
  ]);
  assert.deepEqual(gaps, [5, 5, 15]);
});

test('eagerTurns wait for the real clock', async () => {
  const before = eagerTurns.now();
  await eagerTurns.next(0);
  await eagerTurns.next(3);
  await eagerTurns.next(Number.POSITIVE_INFINITY);
  assert.ok(eagerTurns.now() >= before);
});
