/** @module Runs jobs concurrently: each after its dependencies, and as many as there are slots. */

export interface Job {
  readonly name: string;
  /** Jobs that must end before it starts, whether they succeed or fail. */
  readonly needs: readonly Job[];
  /** Whether no other job may run at the same time, because it measures time. */
  readonly alone: boolean;
  /** @param slots How many cores it may use, at least 1. It never rejects. */
  readonly run: (slots: number) => Promise<void>;
}

/**
 * Runs jobs, and resolves when all have ended. Ready jobs start in the order of the list. Jobs that must run alone start
 * last, so that no core waits for them. A job without concurrent jobs gets all slots.
 *
 * @throws {Error} if a job depends on one that is not in the list, or on itself.
 */
export async function runJobs(
  jobs: readonly Job[],
  slots: number,
  signal: AbortSignal,
): Promise<void> {
  const waiting = new Set([...jobs].sort((a, b) => Number(a.alone) - Number(b.alone)));
  const ended = new Set<Job>();
  const running = new Map<Job, Promise<void>>();
  let free = slots;
  const isReady = (job: Job) => job.needs.every((need) => ended.has(need));
  const start = (job: Job, share: number) => {
    waiting.delete(job);
    free -= share;
    const end = job.run(share).then(() => {
      running.delete(job);
      ended.add(job);
      free += share;
    });
    running.set(job, end);
  };
  const startNext = () => {
    const ready = [...waiting].filter((job) => !job.alone && isReady(job));
    for (const [index, job] of ready.slice(0, free).entries()) {
      // The last job gets the slots that no other job can use.
      start(job, index === ready.length - 1 ? free : 1);
    }
    const last = [...waiting].find(isReady);
    if (running.size === 0 && last !== undefined) start(last, free);
  };
  while (waiting.size > 0 && !signal.aborted) {
    startNext();
    if (running.size === 0) {
      throw new Error(`Nothing that is waited for will end: ${[...waiting].map((j) => j.name)}`);
    }
    await Promise.race(running.values());
  }
  await Promise.all(running.values());
}
