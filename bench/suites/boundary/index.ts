/**
 * Measures the cost of each layer between a client and ONNX Runtime by adding one at a time, on a model with negligible
 * cost.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contender as bareFloor } from '../../contenders/bare-floor.ts';
import { contender as nativeDriver } from '../../contenders/native-driver.ts';
import { contender as ours } from '../../contenders/ours.ts';
import { contender as raw } from '../../contenders/raw.ts';
import type { NativeContender, NativeRun } from '../../contenders/types.ts';
import { Child, type Command, jsonLine } from '../../lib/child.ts';
import {
  type BenchModel,
  findModel,
  type Reference,
  referenceBytes,
  referenceFor,
  writeRepository,
} from '../../lib/models.ts';
import { bestBatch, runNative } from '../../lib/native.ts';
import { createProgress } from '../../lib/progress.ts';
import { measureHttp, requestBody, type Server, startServer } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import type { CopyFigures, CopyTask } from './copies.ts';
import type { LayerFigures, LayerTask } from './layers.ts';
import { type BoundaryRow, boundaryFigures, boundaryTable, type LayerCost } from './report.ts';

const MODEL = 'tiny';
const MANY = 64;
/** The number of single requests, each a millisecond after the last. */
const IDLE_REQUESTS = 300;
/** Takes an image of 602,112 bytes and returns one number. */
const LARGE_INPUT = fileURLToPath(
  new URL('../../../test/fixtures/models/reduce-mean-image.onnx', import.meta.url),
);

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export async function boundary(plan: Plan): Promise<SuiteResult> {
  const model = await findModel(MODEL);
  const reference = await referenceFor(model);
  const native = await prepareNative(plan, model, reference);
  const progress = createProgress(plan.repeats, plan.log, () => performance.now());
  await using servers = new AsyncDisposableStack();
  const start = await serverStarter(plan, model, reference, servers);
  const service = await start(ours);
  const floor = await start(bareFloor, service.responseBytes);
  const body = requestBody(reference);
  const rows: BoundaryRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    const { failures, ...http } = await measureServers(plan, { floor, service }, body);
    const row: BoundaryRow = {
      repeat,
      raw: await native(raw, 'best'),
      batcher: await native(nativeDriver, MANY),
      addon: await measureLayers(plan, model, reference),
      copies: await measureCopies(plan),
      ...http,
      ...(failures[0] === undefined ? {} : { failure: failures[0] }),
    };
    rows.push(row);
    const { instance, inline } = row.addon;
    progress.step(
      `boundary: inline ${figure(inline.p50Us)} µs, through an instance ${figure(instance.p50Us)} µs`,
    );
  }
  const text = `What each layer costs, model ${MODEL}\n${boundaryTable(rows)}`;
  return { name: 'boundary', data: rows, text, gates: [], figures: boundaryFigures(rows) };
}

/** Measures a native contender with one row or request at a time, and with many. */
async function prepareNative(plan: Plan, model: BenchModel, reference: Reference) {
  const file = join(plan.scratch, 'boundary.reference');
  await writeFile(file, referenceBytes(reference));
  const seconds = plan.seconds / 6;
  const programs = await plan.programs();
  const run: NativeRun = { model, programs, reference: file, seconds, width: 1 };
  const best = await bestBatch(raw, run);
  return async (contender: NativeContender, many: number | 'best'): Promise<LayerCost> => {
    const one = await runNative(contender, run);
    const width = many === 'best' ? best : many;
    const all = await runNative(contender, { ...run, width });
    const items = all.items_per_second * all.seconds;
    return {
      idleUs: 1e6 / one.items_per_second,
      manyCpuUs: (all.cpu_seconds * 1e6) / items,
    };
  };
}

async function serverStarter(
  plan: Plan,
  model: BenchModel,
  reference: Reference,
  servers: AsyncDisposableStack,
) {
  const repository = join(plan.scratch, 'boundary');
  await writeRepository(repository, model);
  return async (contender: typeof ours, responseBytes = 0): Promise<Server> => {
    const server = await startServer(contender, { model, repository, responseBytes }, reference);
    servers.use(server.child);
    const load = { url: server.url, body: requestBody(reference), connections: 8 };
    await plan.driver.run({ ...load, seconds: 1 });
    return server;
  };
}

type Names = 'floor' | 'service';

async function measureServers(plan: Plan, servers: Record<Names, Server>, body: string) {
  const failures: string[] = [];
  const cost = async (server: Server): Promise<LayerCost> => {
    const seconds = plan.seconds / 3;
    const one = await measureHttp(plan.driver, server, { connections: 1, seconds, body });
    const many = await measureHttp(plan.driver, server, { connections: MANY, seconds, body });
    failures.push(...[one, many].flatMap(({ failure }) => (failure ? [failure] : [])));
    return { idleUs: one.http.p50Ms * 1000, manyCpuUs: many.serverCpuUs };
  };
  return { floor: await cost(servers.floor), service: await cost(servers.service), failures };
}

async function measureLayers(plan: Plan, model: BenchModel, { features, scores }: Reference) {
  const task: LayerTask = {
    model,
    features,
    score: scores[0]!,
    wakes: join(await plan.programs(), 'millrace-bench-wakes.node'),
    idleRequests: IDLE_REQUESTS,
    clients: MANY,
    milliseconds: (plan.seconds * 1000) / 3,
  };
  const argv = [process.execPath, script('layers.ts'), JSON.stringify(task)];
  return runForLine<LayerFigures>({ argv }, 'manyCpuUs');
}

async function measureCopies(plan: Plan) {
  const library = join(await plan.programs(), 'millrace-bench-copies.so');
  const task: CopyTask = {
    library,
    model: LARGE_INPUT,
    input: 'x',
    dims: [1, 3, 224, 224],
    clients: 8,
    rounds: 20,
  };
  const argv = [process.execPath, script('copies.ts'), JSON.stringify(task)];
  return runForLine<CopyFigures>({ argv, env: { LD_PRELOAD: library } }, 'parsed');
}

/** Runs a program and returns the line that it prints. */
async function runForLine<T>(command: Command, key: string): Promise<T> {
  await using child = await Child.start(command);
  const response = await child.line(jsonLine<T>(key));
  await child.finished();
  return response;
}
