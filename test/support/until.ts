/** @module Waits for a condition for which there is no event. */

const LIMIT_MS = 20_000;
const MAX_PAUSE_MS = 25;

/**
 * Resolves when the condition is true, and rejects if it remains false for too long. The pauses between two checks grow,
 * because a check may be a request, and checks must not take the processor from what is waited for.
 */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    const elapsed = performance.now() - start;
    if (elapsed > LIMIT_MS) throw new Error(`Waited in vain: ${what}`);
    const pause = Math.min(1 + elapsed / 8, MAX_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
