/**
 * Measures costs and benefits of threads: spinning threads of ONNX Runtime, instances that share a session, and several
 * HTTP threads on one engine.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contender as ours } from '../../contenders/ours.ts';
import { contender as raw } from '../../contenders/raw.ts';
import type { HttpContender, NativeResult } from '../../contenders/types.ts';
import { Child, jsonLine } from '../../lib/child.ts';
import {
  type BenchModel,
  findModel,
  referenceBytes,
  referenceFor,
  writeRepository,
} from '../../lib/models.ts';
import { runNative } from '../../lib/native.ts';
import { createProgress } from '../../lib/progress.ts';
import { rotated } from '../../lib/rotated.ts';
import { requestBody, type Server, startServer } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import {
  INSTANCE_MODELS,
  type InstancePair,
  type ThreadRow,
  threadFigures,
  threadTables,
} from './report.ts';
import type { SkewResult, SkewTask } from './skew-process.ts';
import type { SpinFigures, SpinTask } from './spin-process.ts';

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Rows of a run that takes about 0.1 ms, for which two threads are useful. */
const SPIN = { model: 'tiny', rows: 64, everyMs: 20 } as const;
const INSTANCE_ROWS = 8;
/** Connections of the two threads. */
const CONNECTIONS = [22, 14] as const;
const SKEW_MODEL = 'small';

const twoThreads: HttpContender = {
  ...ours,
  command(setup) {
    const command = ours.command(setup);
    return { ...command, env: { ...command.env, MAX_WORKERS: '2' } };
  },
};

export async function threads(plan: Plan): Promise<SuiteResult> {
  const progress = createProgress(plan.repeats, plan.log, () => performance.now());
  const instances = await prepareInstances(plan);
  const { server, body } = await startTwoThreads(plan);
  await using _ = server.child;
  const rows: ThreadRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    const row: ThreadRow = {
      repeat,
      ours: await measureSpin(plan, 'ours'),
      spinning: await measureSpin(plan, 'onnxruntime-node'),
      ...(await instances(repeat)),
      skew: await measureSkew(plan, server, body),
    };
    rows.push(row);
    const cores = [row.ours, row.spinning].map(({ cpuShare }) => figure(cpuShare));
    progress.step(`threads: 50 runs a second take ${cores[0]} cores, spinning ${cores[1]}`);
  }
  const text = `Threads\n${threadTables(rows)}`;
  return { name: 'threads', data: rows, text, gates: [], figures: threadFigures(rows) };
}

async function measureSpin(plan: Plan, subject: string): Promise<SpinFigures> {
  const { rows, everyMs } = SPIN;
  const model = await findModel(SPIN.model);
  const task: SpinTask = { model, rows, everyMs, milliseconds: plan.seconds * 500 };
  await using child = await Child.start({
    argv: [process.execPath, script('spin-process.ts'), subject, JSON.stringify(task)],
    env: { ORT_DISABLE_TELEMETRY: '1' },
  });
  return await child.line(jsonLine<SpinFigures>('cpuShare'));
}

/** Measures two instances of each model on one session and on two, in turns. */
async function prepareInstances(plan: Plan) {
  const programs = await plan.programs();
  const measure = async (model: BenchModel, instances: number, sessions: number) => {
    const reference = join(plan.scratch, `instances-${model.name}.reference`);
    await writeFile(reference, referenceBytes(await referenceFor(model)));
    const run = { model: { ...model, instances }, programs, reference, sessions };
    return runNative(raw, { ...run, width: INSTANCE_ROWS, seconds: plan.seconds / 2 });
  };
  const empty = await measure(await findModel('tiny'), 1, 1);
  const models = await Promise.all(INSTANCE_MODELS.map((name) => findModel(name)));
  return async (repeat: number) => {
    const instances: InstancePair[] = [];
    for (const model of models) {
      const results = new Map<number, NativeResult>();
      for (const sessions of rotated([1, 2], repeat)) {
        results.set(sessions, await measure(model, 2, sessions));
      }
      instances.push({ model: model.name, shared: results.get(1)!, separate: results.get(2)! });
    }
    return { instances, emptyBytes: empty.resident_bytes };
  };
}

async function startTwoThreads(plan: Plan): Promise<{ server: Server; body: string }> {
  const model = await findModel(SKEW_MODEL);
  const reference = await referenceFor(model);
  const repository = join(plan.scratch, 'threads');
  await writeRepository(repository, model);
  const server = await startServer(twoThreads, { model, repository, responseBytes: 0 }, reference);
  return { server, body: requestBody(reference) };
}

async function measureSkew(plan: Plan, { url }: Server, body: string): Promise<SkewResult> {
  const task: SkewTask = { url, body, connections: CONNECTIONS, milliseconds: plan.seconds * 500 };
  await using child = await Child.start({
    argv: [process.execPath, script('skew-process.ts'), JSON.stringify(task)],
  });
  return await child.line(jsonLine<SkewResult>('threads'));
}
