/** @module Measures the longest block of the JavaScript thread during some work. */

export interface Blocks {
  /** Maximum CPU time that the JavaScript thread spent between two heartbeats, milliseconds. */
  readonly longestCpuMs: number;
  /** Maximum wall-clock time between two heartbeats, milliseconds, including the wait for a core. */
  readonly longestWallMs: number;
}

/** Interval of the heartbeats, milliseconds. */
const everyMillisecond = (beat: () => void) => void setTimeout(beat, 1);

/**
 * Reads both clocks at every heartbeat until `work` has settled.
 *
 * What blocks the thread delays the next heartbeat, so a block lies between two of them as a whole.
 * The CPU time between them is its length plus at most a millisecond's worth of other turns: an upper
 * bound, however long the thread waited for a core. The thread sleeps in between, as a server's does;
 * a loop that spun instead would add its own garbage and every disturbance of the machine.
 *
 * @param cpu CPU time of this thread, milliseconds.
 * @param wall Milliseconds.
 */
export async function watchBlocks(
  work: () => Promise<void>,
  cpu: () => number,
  wall: () => number,
  schedule: (beat: () => void) => void = everyMillisecond,
): Promise<Blocks> {
  let longestCpuMs = 0;
  let longestWallMs = 0;
  let lastCpu = cpu();
  let lastWall = wall();
  let done = false;
  const ended = Promise.withResolvers<void>();
  const beat = () => {
    const nowCpu = cpu();
    const nowWall = wall();
    longestCpuMs = Math.max(longestCpuMs, nowCpu - lastCpu);
    longestWallMs = Math.max(longestWallMs, nowWall - lastWall);
    lastCpu = nowCpu;
    lastWall = nowWall;
    if (done) ended.resolve();
    else schedule(beat);
  };
  schedule(beat);
  try {
    await work();
  } finally {
    done = true;
    await ended.promise;
  }
  return { longestCpuMs, longestWallMs };
}
