/** @module The results of a batch, read as they are made. */

import { ServeError } from '../errors.ts';
import type { Sql } from '../store/store.ts';
import { readResults } from './chunk-table.ts';
import { hasEnded, type Job } from './job.ts';
import { resultLine } from './job-json.ts';
import { untilAvailable } from './retry.ts';
import type { JobWatch } from './watch.ts';

/** How long to wait for a notification before looking again. */
const QUIET_MS = 60_000;

/**
 * @param find Reads the job again.
 * @throws {ServeError} `DRAINING` if the thread stops before the end
 */
export async function* results(
  sql: Sql,
  watch: JobWatch,
  job: Job,
  find: () => Promise<Job>,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const available = <Result>(work: () => Promise<Result>) =>
    untilAvailable(work, signal, Math.random);
  const watcher = await watch.watch(job.id, signal);
  try {
    for (let after = -1; ; ) {
      const latest = await available(find);
      const ended = hasEnded(latest);
      // After the end of a cancelled batch, results may be missing between others.
      for (;;) {
        if (signal.aborted) return;
        const next = await available(() => readResults(sql, job.id, after, !ended));
        if (next === undefined) break;
        yield next.output;
        after = next.chunk;
      }
      if (ended) return yield* singleResult(latest);
      if (watch.closed) throw new ServeError('DRAINING', 'The server is shutting down; ask again.');
      await watcher.next(QUIET_MS);
      if (signal.aborted) return;
    }
  } finally {
    watcher.close();
  }
}

function* singleResult({ batch, answer, answerStatus }: Job): Generator<string, void> {
  if (batch || answer === undefined || answerStatus === undefined) return;
  yield `${resultLine(0, answerStatus, answer)}\n`;
}
