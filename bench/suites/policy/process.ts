/**
 * Measures one model under every policy, in turns: `bun process.ts TASK-AS-JSON`. Prints one `PolicyRow` per line.
 *
 * The clients run on the JavaScript thread, which simulates the network and does not sleep during a measurement, so that no
 * policy waits for it to wake up.
 *
 * @module
 */
import { type Model, openEngine } from '../../../native/index.ts';
import { closedLoop, eagerTurns, openLoop } from '../../lib/load.ts';
import { type BenchModel, SCORE_TOLERANCE } from '../../lib/models.ts';
import { exponential, seeded } from '../../lib/random.ts';
import { rotated } from '../../lib/rotated.ts';
import { schedule } from '../../lib/schedule.ts';
import { percentiles } from '../../lib/stats.ts';
import type { PolicyRow, PolicyTask } from './row.ts';
import { CAPACITY, loads, type PolicyLoad, policies, ROUND_TRIP } from './scenarios.ts';

/** The queue is long enough for all requests, because the suite compares waiting times. */
const MAX_QUEUE = 65_536;

interface Subject {
  readonly policy: string;
  readonly model: Model;
}

interface Measured {
  readonly latencies: Float64Array;
  readonly perSecond: number;
}

const task = JSON.parse(process.argv[2]!) as PolicyTask;
const features = Float32Array.from(task.features);

async function load(engine: ReturnType<typeof openEngine>, model: BenchModel): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const [policy, batching] of Object.entries(policies)) {
    const loaded = await engine.load({
      path: model.file,
      batching: { ...batching, maxRows: model.maxRows, maxQueue: MAX_QUEUE },
      instances: model.instances,
      intraOpThreads: model.intraOpThreads,
      inline: false,
    });
    subjects.push({ policy, model: loaded });
  }
  return subjects;
}

async function runOnce({ model }: Subject): Promise<void> {
  const { input, output, features: columns } = task.model;
  const tensor = { type: 'float32', dims: [1, columns], data: features } as const;
  const { outputs } = await model.run({ [input]: tensor });
  const scores = outputs[output]!.data as Float32Array;
  if (!(Math.abs(scores[0]! - task.score) <= SCORE_TOLERANCE)) {
    throw new Error(`The first score is ${scores[0]}, expected ${task.score}`);
  }
}

function measureClosed(subject: Subject, clients: number, seed: number): Promise<Measured> {
  const jitter = exponential(seeded(seed));
  const roundTrip = () => ROUND_TRIP.ms + jitter() * ROUND_TRIP.jitterMs;
  const { closedMs: milliseconds, warmUpMs } = task;
  const loop = { clients, roundTrip, warmUpMs, milliseconds };
  return closedLoop(() => runOnce(subject), loop, eagerTurns);
}

async function measureOpen(subject: Subject, perSecond: number, seed: number): Promise<Measured> {
  const whole = task.warmUpMs + task.openMs;
  const due = schedule({ kind: 'poisson' }, perSecond, whole, seed);
  const from = eagerTurns.now() + task.warmUpMs;
  const latencies: number[] = [];
  const responses: Promise<void>[] = [];
  const send = (dueAt: number) => {
    const responded = runOnce(subject).then(() => {
      if (dueAt >= from) latencies.push(eagerTurns.now() - dueAt);
    });
    responses.push(responded);
  };
  await openLoop(send, due, eagerTurns);
  await Promise.all(responses);
  const rate = (latencies.length * 1000) / task.openMs;
  return { latencies: Float64Array.from(latencies), perSecond: rate };
}

async function measure(
  subject: Subject,
  load: PolicyLoad,
  repeat: number,
  capacity: number,
): Promise<PolicyRow> {
  const before = subject.model.stats();
  // Every policy has the same clients and traffic in a repeat.
  const seed = repeat + 1;
  const { latencies, perSecond } = await ('clients' in load
    ? measureClosed(subject, load.clients, seed)
    : measureOpen(subject, load.share * capacity, seed));
  const after = subject.model.stats();
  const { mean, p50, p99 } = percentiles(latencies);
  return {
    policy: subject.policy,
    load: load.name,
    repeat,
    perSecond,
    meanMs: mean,
    p50Ms: p50,
    p99Ms: p99,
    batch: (after.rows - before.rows) / (after.batches - before.batches),
  };
}

const engine = openEngine();
const subjects = await load(engine, task.model);
for (const subject of subjects) await measureClosed(subject, 8, 1);
for (let repeat = 0; repeat < task.repeats; repeat += 1) {
  let capacity = 0;
  for (const load of loads) {
    for (const subject of rotated(subjects, repeat)) {
      const row = await measure(subject, load, repeat, capacity);
      if (load === CAPACITY && subject.policy === 'busy') capacity = row.perSecond;
      console.log(JSON.stringify(row));
    }
  }
}
await engine.close();
