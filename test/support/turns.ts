/** @module How long work occupies the thread of a request at a time: CPU time of the longest turn of its event loop. */

import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { assertBelow } from './below.ts';

/**
 * A turn may take 4 ms on an idle machine. CPU time doubles if other work shares the cores and their caches, and several short
 * turns count as one if the timer is late, which it is more on Deno.
 */
const LIMIT_MS = 'Deno' in globalThis ? 12 : 10;

const TRIES = 7;

const cpuMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;

/** The longest turn that some work takes. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let last = cpuMs();
  let longest = 0;
  const look = () => {
    longest = Math.max(longest, cpuMs() - last);
    last = cpuMs();
  };
  const timer = setInterval(look, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  longest = 0;
  last = cpuMs();
  await work();
  // The last turn ends when the next one begins.
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  return longest;
}

/** Checks how long the turns of some work are. The first tries may take longer, because their code is not compiled yet. */
export async function checkTurns(t: TestContext, work: () => Promise<unknown>): Promise<void> {
  const turns = await assertBelow(LIMIT_MS, TRIES, () => longestTurn(work), 'The longest turn');
  t.diagnostic(`${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`);
}
