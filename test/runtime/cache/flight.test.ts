/** @module Tests how long requests wait for a shared run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flight } from '../../../runtime/cache/flight.ts';
import { refused } from '../tasks/text/support.ts';

test('a deadline that is weeks away does not end the wait', async () => {
  const work = Promise.withResolvers<string>();
  const flight = new Flight(() => work.promise);
  const patient = flight.wait(undefined, 2 ** 31);
  // A timer of that delay would end after a millisecond.
  await assert.rejects(flight.wait(undefined, 20), refused('DEADLINE_EXCEEDED', /./));
  work.resolve('result');
  assert.equal(await patient, 'result');
});
