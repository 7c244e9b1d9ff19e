/**
 * How often a guard may look at growing data. A guard that tested at the same level each time would give a false alarm
 * sooner or later, so each look spends a part of the level of all looks together (.github/decisions/0036).
 *
 * @module
 */

/** The probability that one guard rolls back a good version in the course of a whole canary, however long it takes. */
export const FALSE_ALARM_RATE = 0.01;

/** How many looks share the first half of the level. */
const SPREAD = 10;

/** The level of a look, of which the first is 1. The sum over all looks is the level of the guard, by the union bound. */
export const levelOf = (look: number): number =>
  (FALSE_ALARM_RATE * SPREAD) / ((look + SPREAD) * (look + SPREAD - 1));

const FIRST_LOOK = 20;
const GROWTH = 1.25;

/** The requests of the candidate at the next look, after one at so many. Looks become rarer as the data grow. */
export const nextLook = (requests: number): number =>
  Math.max(Math.ceil(requests * GROWTH), FIRST_LOOK);
