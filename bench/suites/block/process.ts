/**
 * The process that is watched: `bun process.ts SUBJECT TASK-AS-JSON`. Prints `Blocks` on one line.
 *
 * @module
 */
import type { BenchModel } from '../../lib/models.ts';
import { SCORE_TOLERANCE } from '../../lib/models.ts';
import { watchTurns } from './heartbeat.ts';
import { subjects } from './subjects.ts';
import { threadClock } from './thread-clock.ts';

export interface BlockTask {
  readonly model: BenchModel;
  readonly features: readonly number[];
  readonly scores: readonly number[];
  /** Runs at the same time. */
  readonly concurrent: number;
  readonly rounds: number;
}

const [name, json] = process.argv.slice(2);
const task = JSON.parse(json!) as BlockTask;
const row = Float32Array.from(task.features);
await using subject = await subjects[name!]!(task.model);

async function round(): Promise<void> {
  const runs = Array.from({ length: task.concurrent }, () => subject.run(row));
  for (const scores of await Promise.all(runs)) {
    const wrong = task.scores.findIndex(
      (score, i) => !(Math.abs(scores[i]! - score) <= SCORE_TOLERANCE),
    );
    if (wrong !== -1)
      throw new Error(`Score ${wrong} is ${scores[wrong]}, expected ${task.scores[wrong]}`);
  }
}

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await round();
}

const cpu = threadClock();
const wall = () => performance.now();
// Compiled code and a heap of the usual size first.
await watchTurns(() => rounds(2), cpu, wall);
const blocks = await watchTurns(() => rounds(task.rounds), cpu, wall);
console.log(JSON.stringify(blocks));
