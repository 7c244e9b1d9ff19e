/** @module How often guards are right, on simulated canaries. test/soak/traffic has the same on thousands of them. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rollBackRate } from './simulation.ts';

const GOOD = { errorRate: 0.01, medianMs: 10 };
const REWARDED = { ...GOOD, reward: 0.3 };
const GUARDS = { error_rate: 0.01, p99_ratio: 1.2, reward_drop: 0.02 };

describe('guards', () => {
  test('let a version pass that is as good as the others', () => {
    assert.equal(rollBackRate(40, GUARDS, REWARDED, REWARDED), 0);
  });

  test('roll back a version that fails more often', () => {
    assert.ok(rollBackRate(40, GUARDS, GOOD, { ...GOOD, errorRate: 0.05 }) > 0.9);
  });

  test('roll back a version that is slower', () => {
    assert.ok(rollBackRate(40, GUARDS, GOOD, { ...GOOD, medianMs: 16 }) > 0.9);
  });

  test('roll back a version whose outcomes are worse', () => {
    assert.ok(rollBackRate(20, GUARDS, REWARDED, { ...REWARDED, reward: 0.2 }) > 0.9);
    const numbers = { ...REWARDED, continuous: true };
    assert.ok(rollBackRate(20, GUARDS, numbers, { ...numbers, reward: 0.2 }) > 0.9);
  });
});
