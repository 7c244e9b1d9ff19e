/** @module Limits of time in tests. What else runs on the machine only adds to a time, so the least of some tries counts. */
import assert from 'node:assert/strict';

/**
 * Measures until a time is below the limit. Fails if no try is.
 *
 * @param what What is measured, for the message of the failure.
 * @returns all times that were measured, milliseconds
 */
export async function assertBelow(
  limitMs: number,
  tries: number,
  measure: () => number | Promise<number>,
  what = 'It',
): Promise<readonly number[]> {
  const times: number[] = [];
  while (times.length < tries) {
    const ms = await measure();
    times.push(ms);
    if (ms < limitMs) return times;
  }
  const least = Math.min(...times).toFixed(1);
  return assert.fail(
    `${what} took ${least} ms or more in ${tries} tries, not less than ${limitMs}`,
  );
}

/** Returns how long some work takes, milliseconds of wall time. */
export async function wallMs(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Returns how long the threads of this process compute meanwhile, milliseconds. */
export async function processMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
