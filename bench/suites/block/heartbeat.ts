/** @module The longest turn of the event loop while something else goes on. */

export interface Blocks {
  /** Most CPU time that the JavaScript thread spent in one turn of its event loop, milliseconds. */
  readonly longestCpuMs: number;
  /** Longest wall-clock time between two turns, milliseconds: also counts waiting for a core. */
  readonly longestWallMs: number;
}

/**
 * Turns the event loop as fast as it goes until `work` has settled, and reads both clocks once a turn.
 * Between two readings lies all that ran in a turn, so no block can hide, and what the thread spends
 * waiting for a core does not count as CPU time.
 *
 * @param cpu CPU time of this thread, milliseconds.
 * @param wall Milliseconds.
 */
export async function watchTurns(
  work: () => Promise<void>,
  cpu: () => number,
  wall: () => number,
): Promise<Blocks> {
  let longestCpuMs = 0;
  let longestWallMs = 0;
  let done = false;
  let last = { cpu: cpu(), wall: wall() };
  const ended = Promise.withResolvers<void>();
  const turn = () => {
    const now = { cpu: cpu(), wall: wall() };
    longestCpuMs = Math.max(longestCpuMs, now.cpu - last.cpu);
    longestWallMs = Math.max(longestWallMs, now.wall - last.wall);
    last = now;
    if (done) ended.resolve();
    else setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await work();
  } finally {
    done = true;
    await ended.promise;
  }
  return { longestCpuMs, longestWallMs };
}
