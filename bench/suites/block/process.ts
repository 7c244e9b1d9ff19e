/**
 * The measured process: `bun process.ts SUBJECT TASK-AS-JSON`. Prints a `BlockResult` on one line.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchModel, SCORE_TOLERANCE } from '../../lib/models.ts';
import { type Blocks, watchBlocks } from './heartbeat.ts';
import { type Subject, subjects } from './subjects.ts';
import { threadClock } from './thread-clock.ts';

export interface BlockTask {
  readonly model: BenchModel;
  /** A cheap model, for runs until the code is compiled. */
  readonly warmUp: BenchModel;
  readonly features: readonly number[];
  readonly scores: readonly number[];
  /** The number of concurrent runs. */
  readonly concurrent: number;
  readonly rounds: number;
}

export interface BlockResult extends Blocks {
  /** The longest block without work: the cost of garbage collection and of the clocks. */
  readonly idleCpuMs: number;
}

const WARM_UP_ROUNDS = 300;
const IDLE_MS = 500;

const [name, json] = process.argv.slice(2);
const task = JSON.parse(json!) as BlockTask;
const cpu = threadClock();
const wall = () => performance.now();

async function rounds(subject: Subject, features: readonly number[], count: number) {
  const row = Float32Array.from(features);
  for (let i = 0; i < count; i += 1) {
    const runs = Array.from({ length: task.concurrent }, () => subject.run(row));
    for (const scores of await Promise.all(runs)) if (features === task.features) check(scores);
  }
}

function check(scores: Float32Array): void {
  task.scores.forEach((score, i) => {
    if (Math.abs(scores[i]! - score) <= SCORE_TOLERANCE) return;
    throw new Error(`Score ${i} is ${scores[i]}, expected ${score}`);
  });
}

{
  await using subject = await subjects[name!]!(task.warmUp);
  const row = new Array<number>(task.warmUp.features).fill(0.5);
  await watchBlocks(() => rounds(subject, row, WARM_UP_ROUNDS), cpu, wall);
}
await using subject = await subjects[name!]!(task.model);
await rounds(subject, task.features, 1);
const idle = await watchBlocks(() => delay(IDLE_MS), cpu, wall);
const blocks = await watchBlocks(() => rounds(subject, task.features, task.rounds), cpu, wall);
const result: BlockResult = { ...blocks, idleCpuMs: idle.longestCpuMs };
console.log(JSON.stringify(result));
