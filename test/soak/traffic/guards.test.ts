/**
 * The rates of false alarms and of missed regressions of each guard, on thousands of simulated canaries. A version at its
 * limit is the hardest case: the guard may roll it back in the stated share of the canaries only.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FALSE_ALARM_RATE } from '../../../runtime/traffic/statistics/looks.ts';
import { type Behaviour, rollBackRate } from '../../runtime/traffic/simulation.ts';

const CANARIES = 2000;
const GOOD = { errorRate: 0.01, medianMs: 10 };
const REWARDED = { ...GOOD, reward: 0.3 };
const NUMBERS = { ...REWARDED, continuous: true };

/** Three standard errors above the stated rate, so that a right guard fails in one of a thousand runs. */
const MOST = FALSE_ALARM_RATE + 3 * Math.sqrt((FALSE_ALARM_RATE * 0.99) / CANARIES);

const rate = (guards: object, good: Behaviour, candidate: Behaviour) => {
  const rolledBack = rollBackRate(CANARIES, guards, good, candidate, 7);
  console.log(JSON.stringify({ guards, good, candidate, rolledBack }));
  return rolledBack;
};

describe('false alarms', () => {
  const atLimit: readonly [object, Behaviour, Behaviour][] = [
    [{ error_rate: 0 }, GOOD, GOOD],
    [{ error_rate: 0.01 }, GOOD, { ...GOOD, errorRate: 0.02 }],
    [{ p99_ratio: 1 }, GOOD, GOOD],
    [{ p99_ratio: 1.2 }, GOOD, { ...GOOD, medianMs: 12 }],
    [{ reward_drop: 0 }, REWARDED, REWARDED],
    [{ reward_drop: 0 }, NUMBERS, NUMBERS],
  ];
  for (const [guards, good, candidate] of atLimit) {
    test(`of ${JSON.stringify(guards)} at its limit are no more than stated`, () => {
      assert.ok(rate(guards, good, candidate) <= MOST);
    });
  }
});

describe('power', () => {
  const worse: readonly [object, Behaviour, Behaviour][] = [
    [{ error_rate: 0.01 }, GOOD, { ...GOOD, errorRate: 0.05 }],
    [{ p99_ratio: 1.2 }, GOOD, { ...GOOD, medianMs: 15 }],
    [{ reward_drop: 0.02 }, REWARDED, { ...REWARDED, reward: 0.2 }],
    [{ reward_drop: 0.02 }, NUMBERS, { ...NUMBERS, reward: 0.2 }],
  ];
  for (const [guards, good, candidate] of worse) {
    test(`of ${JSON.stringify(guards)} on a real regression is at least 95 %`, () => {
      assert.ok(rate(guards, good, candidate) >= 0.95);
    });
  }
});
