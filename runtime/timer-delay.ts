/** @module How long timers wait. */

/** The longest delay of a timer, 24 days. A longer one would end after a millisecond. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The delay of a timer for what may take this long, in milliseconds. Nothing that it is for lasts longer than the longest one. */
export const timerDelay = (ms: number): number => Math.min(Math.max(ms, 0), MAX_DELAY_MS);
