/**
 * Measures calls of the addon from JavaScript, inline and through an instance: `bun layers.ts TASK-AS-JSON`. Prints a
 * `LayerFigures` on one line.
 *
 * @module
 */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { type Model, openEngine, type RunResult, type Tensors } from '../../../native/index.ts';
import { type BenchModel, SCORE_TOLERANCE } from '../../lib/models.ts';
import { percentiles } from '../../lib/stats.ts';

export interface LayerTask {
  readonly model: BenchModel;
  readonly features: readonly number[];
  /** The expected first score. */
  readonly score: number;
  /** The addon of native/wakes.cc. */
  readonly wakes: string;
  /** The number of single requests, each to an idle process. */
  readonly idleRequests: number;
  readonly clients: number;
  readonly milliseconds: number;
}

export interface LayerFigures {
  /** Medians of the times to wake an instance and the event loop, µs. */
  readonly futexWakeUs: number;
  readonly loopWakeUs: number;
  readonly inline: IdleFigures;
  readonly instance: IdleFigures;
  /** CPU time of the process per request with many in flight through an instance, µs. */
  readonly manyCpuUs: number;
  readonly manyPerSecond: number;
  /** The same for a stub that responds in JavaScript: the cost of the call and the await alone, µs. */
  readonly standInCpuUs: number;
}

/** Latency of a single request to an idle process. */
export interface IdleFigures {
  readonly p50Us: number;
  /** The latency without its run: what the layers add. */
  readonly addedP50Us: number;
}

interface Wakes {
  futexWakes(rounds: number): number[];
  loopWakes(rounds: number): Promise<number[]>;
}

/** Pause after which the instance and the event loop are asleep, milliseconds. */
const GAP_MS = 1;
const WARM_UP_REQUESTS = 2000;

/** The target of the requests: a model, or its stub. */
type Target = Pick<Model, 'run'>;

const task = JSON.parse(process.argv[2]!) as LayerTask;
const features = Float32Array.from(task.features);

/** Sends a request. @returns the duration of its run, milliseconds */
async function send(model: Target): Promise<number> {
  const { input, output, features: columns } = task.model;
  const tensor = { type: 'float32', dims: [1, columns], data: features } as const;
  const { outputs, timings } = await model.run({ [input]: tensor });
  const scores = outputs[output]!.data as Float32Array;
  if (!(Math.abs(scores[0]! - task.score) <= SCORE_TOLERANCE)) {
    throw new Error(`The first score is ${scores[0]}, expected ${task.score}`);
  }
  return timings.computeMs;
}

async function measureIdle(model: Model): Promise<IdleFigures> {
  const whole: number[] = [];
  const added: number[] = [];
  for (let i = 0; i < task.idleRequests; i += 1) {
    await delay(GAP_MS);
    const sentAt = performance.now();
    const run = await send(model);
    const took = performance.now() - sentAt;
    whole.push(took * 1000);
    added.push((took - run) * 1000);
  }
  return { p50Us: percentiles(whole).p50, addedP50Us: percentiles(added).p50 };
}

async function measureMany(model: Target) {
  const began = performance.now();
  const before = process.cpuUsage();
  let completed = 0;
  const client = async () => {
    for (; performance.now() - began < task.milliseconds; completed += 1) await send(model);
  };
  await Promise.all(Array.from({ length: task.clients }, client));
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - began) / 1000;
  return { manyCpuUs: (user + system) / completed, manyPerSecond: completed / seconds };
}

/** Responds at once, with a new tensor as the engine does. */
const standIn: Target = {
  run(_: Tensors): Promise<RunResult> {
    const data = new Float32Array(task.model.scores).fill(task.score);
    const scores = { type: 'float32', dims: [1, task.model.scores], data } as const;
    const timings = { queueMs: 0, computeMs: 0, batchRows: 1, batchRequests: 1 };
    return new Promise((resolve) =>
      queueMicrotask(() => resolve({ outputs: { [task.model.output]: scores }, timings })),
    );
  },
};

const wakes = createRequire(import.meta.url)(task.wakes) as Wakes;
const medianUs = (nanoseconds: number[]) => percentiles(nanoseconds).p50 / 1000;
const engine = openEngine();
const { file: path, maxRows, instances, intraOpThreads } = task.model;
const options = { path, batching: { maxRows }, instances, intraOpThreads };
const inline = await engine.load({ ...options, inline: true });
const instance = await engine.load({ ...options, inline: false });
for (const model of [inline, instance]) {
  for (let i = 0; i < WARM_UP_REQUESTS; i += 1) await send(model);
}
const figures: LayerFigures = {
  futexWakeUs: medianUs(wakes.futexWakes(task.idleRequests)),
  loopWakeUs: medianUs(await wakes.loopWakes(task.idleRequests)),
  inline: await measureIdle(inline),
  instance: await measureIdle(instance),
  ...(await measureMany(instance)),
  standInCpuUs: (await measureMany(standIn)).manyCpuUs,
};
await engine.close();
console.log(JSON.stringify(figures));
