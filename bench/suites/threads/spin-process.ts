/**
 * Measures the CPU time of a process that makes a run every 20 ms on two threads:
 * `bun spin-process.ts SUBJECT TASK-AS-JSON`. Prints a `SpinFigures` on one line.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchModel } from '../../lib/models.ts';
import { percentiles } from '../../lib/stats.ts';

export interface SpinTask {
  readonly model: BenchModel;
  /** Rows of a run: enough for two threads to be useful. */
  readonly rows: number;
  readonly everyMs: number;
  readonly milliseconds: number;
}

export interface SpinFigures {
  /** CPU time ÷ wall-clock time, which is the number of cores in use. */
  readonly cpuShare: number;
  readonly p50Ms: number;
}

/** Runs the rows; resolves to the time the run took, milliseconds. */
type Run = (rows: Float32Array) => Promise<number>;

const THREADS = 2;
const WARM_UP_RUNS = 20;

const subjects: Readonly<Record<string, (task: SpinTask) => Promise<Run>>> = {
  async ours({ model, rows }) {
    const { openEngine } = await import('../../../native/index.ts');
    const loaded = await openEngine().load({
      path: model.file,
      batching: { maxRows: rows },
      instances: 1,
      intraOpThreads: THREADS,
      inline: false,
    });
    return async (data) => {
      const dims = [rows, model.features];
      const { timings } = await loaded.run({ [model.input]: { type: 'float32', dims, data } });
      return timings.computeMs;
    };
  },
  async 'onnxruntime-node'({ model, rows }) {
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    const session = await InferenceSession.create(model.file, { intraOpNumThreads: THREADS });
    return async (data) => {
      const input = new Tensor('float32', data, [rows, model.features]);
      const began = performance.now();
      await session.run({ [model.input]: input });
      return performance.now() - began;
    };
  },
};

const task = JSON.parse(process.argv[3]!) as SpinTask;
const run = await subjects[process.argv[2]!]!(task);
const data = new Float32Array(task.rows * task.model.features).fill(0.5);
for (let i = 0; i < WARM_UP_RUNS; i += 1) await run(data);
const took: number[] = [];
const began = performance.now();
const before = process.cpuUsage();
for (let due = began; due < began + task.milliseconds; due += task.everyMs) {
  await delay(due - performance.now());
  took.push(await run(data));
}
const { user, system } = process.cpuUsage(before);
const elapsedMs = performance.now() - began;
const figures: SpinFigures = {
  cpuShare: (user + system) / 1000 / elapsedMs,
  p50Ms: percentiles(took).p50,
};
console.log(JSON.stringify(figures));
process.exit();
