/** @module Work that is done once for all callers that request it at the same time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedWork } from '../../runtime/shared-work.ts';

test('callers that request the work while it runs share the next run, which starts after their requests', async () => {
  const gates: ReturnType<typeof Promise.withResolvers<number>>[] = [];
  const work = new SharedWork(() => {
    const gate = Promise.withResolvers<number>();
    gates.push(gate);
    return gate.promise;
  });
  const first = work.run();
  const others = Array.from({ length: 100 }, () => work.run());
  assert.equal(gates.length, 1);
  gates[0]!.resolve(1);
  assert.equal(await first, 1);
  assert.equal(gates.length, 2);
  gates[1]!.resolve(2);
  assert.deepEqual(new Set(await Promise.all(others)), new Set([2]));
  assert.equal(gates.length, 2);
});

test('a call between the end of a run and the start of the next shares the next run', async () => {
  let [running, most] = [0, 0];
  const gate = Promise.withResolvers<void>();
  const work = new SharedWork(async () => {
    running += 1;
    most = Math.max(most, running);
    await gate.promise;
    running -= 1;
  });
  const calls = [work.run(), work.run()];
  gate.resolve();
  // The next run starts some turns of the queue of microtasks after the end of the first.
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve();
    calls.push(work.run());
  }
  await Promise.all(calls);
  assert.equal(most, 1);
});

test('work that fails rejects the calls that share the run, and runs again for the next call', async () => {
  let runs = 0;
  const work = new SharedWork(async () => {
    runs += 1;
    if (runs < 3) throw new Error(`run ${runs}`);
    return runs;
  });
  const [first, second] = [work.run(), work.run()];
  await assert.rejects(first, { message: 'run 1' });
  await assert.rejects(second, { message: 'run 2' });
  assert.equal(await work.run(), 3);
});
