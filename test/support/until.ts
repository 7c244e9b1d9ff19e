/** @module Waits for a condition for which there is no event. */

const LIMIT_MS = 20_000;

/** Resolves when the condition is true, and rejects if it remains false for too long. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
