/** @module Polls of the repository: when they are made, and which of those that fail are logged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bus, createLog, ServeError } from '../../runtime/index.ts';
import { startPolling } from '../../runtime/polling.ts';
import { testConfig } from '../support/service.ts';

const POLLING = { ...testConfig('/tmp'), modelControlMode: 'poll', repositoryPollMs: 1 } as const;

/** Makes polls with these outcomes, one after the other, and returns the reasons that were logged. */
async function loggedAfter(outcomes: readonly (Error | undefined)[]): Promise<readonly unknown[]> {
  const reasons: unknown[] = [];
  const log = createLog('info', { write: (line) => void reasons.push(JSON.parse(line).reason) });
  const done = Promise.withResolvers<void>();
  const rest = [...outcomes];
  const bus: Bus = {
    async publish(change) {
      assert.equal(change.kind, 'refresh');
      if (rest.length === 0) return done.resolve();
      const outcome = rest.shift();
      if (outcome !== undefined) throw outcome;
    },
  };
  const stop = startPolling(POLLING, bus, log);
  // The timer of the polls does not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  await done.promise;
  clearInterval(alive);
  stop();
  return reasons;
}

const gone = new ServeError('INTERNAL', 'The repository cannot be read.');
const changing = new ServeError('INTERNAL', 'The repository keeps changing.');

test('a poll that fails for the same reason as the one before is not logged again', async () => {
  assert.deepEqual(await loggedAfter([gone, gone, gone, changing, changing, gone]), [
    gone.message,
    changing.message,
    gone.message,
  ]);
});

test('a poll that fails again after one that succeeded is logged again', async () => {
  assert.deepEqual(await loggedAfter([gone, undefined, gone]), [gone.message, gone.message]);
});

test('a poll that is refused because the server stops is not logged', async () => {
  assert.deepEqual(await loggedAfter([new ServeError('DRAINING', 'The server stops.')]), []);
});

test('a poll that takes longer than the time between two polls delays the next one', async () => {
  const first = Promise.withResolvers<void>();
  let polls = 0;
  const bus: Bus = {
    publish() {
      polls += 1;
      return first.promise;
    },
  };
  const stop = startPolling(POLLING, bus, createLog('silent'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  stop();
  assert.equal(polls, 1);
  first.resolve();
});

test('without MODEL_CONTROL_MODE=poll there are no polls', async () => {
  const bus: Bus = { publish: async () => assert.fail('the repository was polled') };
  const stop = startPolling({ ...POLLING, modelControlMode: 'none' }, bus, createLog('silent'));
  await new Promise((resolve) => setTimeout(resolve, 10));
  stop();
});
