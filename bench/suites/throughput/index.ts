/**
 * Measures throughput and latency of every contender on every model, in turns: each repeat measures all of them once, one
 * after the other, so that a change of the machine's speed affects all alike.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  Contender,
  HttpContender,
  NativeContender,
  NativeRun,
} from '../../contenders/types.ts';
import {
  type BenchModel,
  type Reference,
  referenceBytes,
  referenceFor,
  writeRepository,
} from '../../lib/models.ts';
import { bestBatch, runNative } from '../../lib/native.ts';
import { createProgress, type Progress } from '../../lib/progress.ts';
import { rotated } from '../../lib/rotated.ts';
import type { Row } from '../../lib/row.ts';
import { measureHttp, requestBody, type Server, startServer } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { targetFigures } from './ratios.ts';
import { reportThroughput } from './report.ts';

/** Bytes of a floor's response if ours does not take part. */
const USUAL_RESPONSE_BYTES = 160;
/** Load before a server's first measurement, so that its code is compiled, seconds. */
const WARM_UP_SECONDS = 1;

export async function throughput(plan: Plan): Promise<SuiteResult> {
  const progress = createProgress(countSteps(plan), plan.log, () => performance.now());
  const rows: Row[] = [];
  for (const model of plan.models) rows.push(...(await measureModel(plan, model, progress)));
  const { text, gates } = reportThroughput(rows);
  return { name: 'throughput', data: rows, text, gates, figures: targetFigures(rows) };
}

function countSteps({ models, contenders, connections, repeats }: Plan): number {
  const natives = contenders.filter((contender) => contender.kind === 'native');
  const raw = natives.some(({ name }) => name === 'raw') ? 1 : 0;
  const servers = contenders.length - natives.length;
  return models.length * repeats * (natives.length + raw + servers * connections.length);
}

async function measureModel(plan: Plan, model: BenchModel, progress: Progress): Promise<Row[]> {
  const reference = await referenceFor(model);
  const repository = join(plan.scratch, model.name);
  await writeRepository(repository, model);
  const natives = await prepareNatives(plan, model, reference, progress);
  await using servers = new AsyncDisposableStack();
  const started: Server[] = [];
  for (const contender of oursFirst(plan.contenders)) {
    const responseBytes = started[0]?.responseBytes ?? USUAL_RESPONSE_BYTES;
    const server = await startServer(contender, { model, repository, responseBytes }, reference);
    servers.use(server.child);
    started.push(server);
    await warmUp(plan, server, requestBody(reference));
  }
  const rows: Row[] = [];
  const keep = (row: Row) => {
    rows.push(row);
    progress.step(describe(row));
  };
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const trial of natives) keep(await measureNative(trial, repeat));
    for (const connections of plan.connections) {
      for (const server of rotated(started, repeat)) {
        const seconds = plan.seconds * patience(model, server.contender, connections);
        const load = { connections, seconds, body: requestBody(reference) };
        const { name } = server.contender;
        const measured = await measureHttp(plan.driver, server, load);
        keep({ model: model.name, contender: name, width: connections, repeat, ...measured });
      }
    }
  }
  return rows;
}

interface NativeTrial {
  readonly label: string;
  readonly contender: NativeContender;
  readonly run: NativeRun;
}

async function prepareNatives(
  plan: Plan,
  model: BenchModel,
  reference: Reference,
  progress: Progress,
): Promise<NativeTrial[]> {
  const file = join(plan.scratch, `${model.name}.reference`);
  await writeFile(file, referenceBytes(reference));
  const seconds = plan.seconds * model.patience;
  const programs = await plan.programs();
  const base = { model, programs, reference: file, seconds };
  const trials: NativeTrial[] = [];
  for (const contender of plan.contenders) {
    if (contender.kind !== 'native') continue;
    if (contender.name !== 'raw') {
      const run = { ...base, width: Math.max(...plan.connections) };
      trials.push({ label: contender.name, contender, run });
      continue;
    }
    const width = await bestBatch(contender, { ...base, width: 1, seconds: plan.seconds / 6 });
    progress.note(`${model.name}: best batch of the raw loop is ${width}`);
    trials.push({ label: 'raw', contender, run: { ...base, width } });
    trials.push({ label: 'raw-one', contender, run: { ...base, width: 1, seconds: plan.seconds } });
  }
  return trials;
}

async function measureNative({ label, contender, run }: NativeTrial, repeat: number): Promise<Row> {
  const result = await runNative(contender, run);
  const items = result.items_per_second * result.seconds;
  return {
    model: run.model.name,
    contender: label,
    width: run.width,
    repeat,
    perSecond: result.items_per_second,
    serverCpuUs: (result.cpu_seconds * 1e6) / items,
  };
}

/** Ours goes first, because the floors return as many bytes as it does. */
function oursFirst(contenders: readonly Contender[]): HttpContender[] {
  const servers = contenders.filter((contender) => contender.kind === 'http');
  return servers.toSorted((a, b) => Number(b.name === 'ours') - Number(a.name === 'ours'));
}

async function warmUp({ driver }: Plan, server: Server, body: string): Promise<void> {
  const seconds = WARM_UP_SECONDS;
  await driver.run({ url: server.url, body, connections: 8, seconds });
}

/** A slow model with large batches needs a longer measurement. */
function patience(model: BenchModel, contender: HttpContender, connections: number): number {
  return contender.computes && connections > model.maxRows / 4 ? model.patience : 1;
}

function describe(row: Row): string {
  const busy = row.http ? ` · busiest thread ${row.http.busiest.busy.toFixed(2)}` : '';
  const problem = row.failure ? ` · FAILED: ${row.failure}` : '';
  const rate = `${figure(row.perSecond)}/s · ${figure(row.serverCpuUs)} µs CPU`;
  return `${row.model} ${row.contender} ×${row.width}: ${rate}${busy}${problem}`;
}
