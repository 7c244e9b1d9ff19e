/** @module Tests that jobs wait for their dependencies, use every slot, and run beside others unless they must run alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Job, runJobs } from './jobs.ts';

const never = new AbortController().signal;

/** Jobs that the test ends, and the events so far. */
class Bench {
  readonly events: string[] = [];
  readonly #ends = new Map<string, () => void>();

  job(name: string, options: Partial<Pick<Job, 'needs' | 'alone'>> = {}): Job {
    const run = (slots: number) => {
      this.events.push(`${name} starts with ${slots}`);
      return new Promise<void>((resolve) => this.#ends.set(name, resolve));
    };
    return { name, needs: [], alone: false, ...options, run };
  }

  /** Ends a job, and returns the events since the last call. */
  async end(name: string): Promise<string[]> {
    this.events.length = 0;
    this.#ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
    return [...this.events];
  }
}

test('as many jobs run as there are slots, in the order of the list', async () => {
  const bench = new Bench();
  const done = runJobs(
    ['a', 'b', 'c'].map((name) => bench.job(name)),
    2,
    never,
  );
  assert.deepEqual(bench.events, ['a starts with 1', 'b starts with 1']);
  assert.deepEqual(await bench.end('b'), ['c starts with 1']);
  await bench.end('a');
  await bench.end('c');
  await done;
});

test('a job waits for its dependencies, and gets the slots that no other job can use', async () => {
  const bench = new Bench();
  const build = bench.job('build');
  const done = runJobs([build, bench.job('tests', { needs: [build] })], 2, never);
  assert.deepEqual(bench.events, ['build starts with 2']);
  assert.deepEqual(await bench.end('build'), ['tests starts with 2']);
  await bench.end('tests');
  await done;
});

test('a job that must run alone starts when all others have ended', async () => {
  const bench = new Bench();
  const alone = bench.job('alone', { alone: true });
  const done = runJobs([alone, bench.job('a'), bench.job('b')], 2, never);
  assert.deepEqual(bench.events, ['a starts with 1', 'b starts with 1']);
  assert.deepEqual(await bench.end('a'), []);
  assert.deepEqual(await bench.end('b'), ['alone starts with 2']);
  await bench.end('alone');
  await done;
});

test('after a stop no job starts', async () => {
  const bench = new Bench();
  const stop = new AbortController();
  const done = runJobs([bench.job('a'), bench.job('b')], 1, stop.signal);
  stop.abort();
  assert.deepEqual(await bench.end('a'), []);
  await done;
});

test('a job with a missing dependency is an error', async () => {
  const bench = new Bench();
  const jobs = [bench.job('a', { needs: [bench.job('elsewhere')] })];
  await assert.rejects(runJobs(jobs, 2, never), /Nothing that is waited for will end: a/);
});
