/**
 * Compares the Open Inference Protocol of our services with a route that only reads the body, with the same route in
 * JavaScript, and with `/predict`, in turns.
 *
 * @module
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, type Command, jsonLine } from '../../lib/child.ts';
import { createProgress } from '../../lib/progress.ts';
import type { PredictResponse } from '../../lib/response.ts';
import { rotated } from '../../lib/rotated.ts';
import type { Row } from '../../lib/row.ts';
import { measureHttp, mismatch, send } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { cases, type V2Case, type V2ContenderName, type V2Request } from './cases.ts';
import type { V2Task } from './process.ts';
import { readResponse } from './protocol.ts';
import { v2Figures, v2Tables } from './report.ts';

/** Maximum difference of two correct outputs: sums depend on the order of addition. */
const TOLERANCE = 1e-5;
const WARM_UP_SECONDS = 1;

/** What is measured: a route of a process. */
interface V2Server {
  readonly name: V2ContenderName | 'predict';
  readonly child: Child;
  readonly url: string;
  readonly request: V2Request;
}

export async function v2(plan: Plan): Promise<SuiteResult> {
  const selected = cases.filter(({ name }) => plan.cases.includes(name));
  const servers = selected.reduce(
    (sum, { contenders, predict }) => sum + contenders.length + (predict ? 1 : 0),
    0,
  );
  const steps = servers * plan.repeats * plan.connections.length;
  const progress = createProgress(steps, plan.log, () => performance.now());
  const rows: Row[] = [];
  for (const one of selected) {
    for await (const row of measureCase(plan, one)) {
      rows.push(row);
      const { model, contender, width, perSecond, failure } = row;
      const problem = failure ? ` · FAILED: ${failure}` : '';
      progress.step(`v2 ${model} ${contender} ×${width}: ${figure(perSecond)}/s${problem}`);
    }
  }
  const text = v2Tables(selected, rows);
  return { name: 'v2', data: rows, text, gates: [], figures: v2Figures(selected, rows) };
}

async function* measureCase(plan: Plan, one: V2Case): AsyncGenerator<Row> {
  const repository = join(plan.scratch, 'v2', one.name);
  await writeRepository(repository, one);
  await using stack = new AsyncDisposableStack();
  const servers: V2Server[] = [];
  let responseBytes = 0;
  for (const name of one.contenders) {
    const child = stack.use(await Child.start(command(name, one, repository, responseBytes)));
    for (const server of await routesOf(name, child, one)) {
      const bytes = await check(server, one);
      if (server.name === 'ours') responseBytes = bytes;
      servers.push(server);
      const { url, request } = server;
      await plan.driver.run({ ...request, url, connections: 8, seconds: WARM_UP_SECONDS });
    }
  }
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const width of plan.connections) {
      for (const server of rotated(servers, repeat)) {
        const load = { ...server.request, connections: width, seconds: plan.seconds };
        const measured = await measureHttp(plan.driver, server, load);
        yield { model: one.name, contender: server.name, width, repeat, ...measured };
      }
    }
  }
}

/** The routes of a process that are measured. Waits until it is ready. */
async function routesOf(
  name: V2ContenderName,
  child: Child,
  { name: model, request, predict }: V2Case,
): Promise<V2Server[]> {
  const { port } = await child.line(jsonLine<{ port: number }>('port'));
  const origin = `http://127.0.0.1:${port}`;
  const infer = { name, child, url: `${origin}/v2/models/${model}/infer`, request };
  if (name !== 'ours' || predict === undefined) return [infer];
  return [infer, { name: 'predict', child, url: `${origin}/predict`, request: predict }];
}

/** Writes a repository as users of Triton have it: only a model for `/predict` has a configuration, with its task. */
async function writeRepository(folder: string, { name, file, predict }: V2Case): Promise<void> {
  const version = join(folder, name, '1');
  await mkdir(version, { recursive: true });
  await symlink(file, join(version, 'model.onnx'));
  if (predict === undefined) return;
  await writeFile(join(folder, name, 'model.json'), JSON.stringify({ task: 'classification' }));
}

function command(
  contender: V2ContenderName,
  { file, predict }: V2Case,
  repository: string,
  responseBytes: number,
): Command {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const env = { NODE_ENV: 'production', ORT_DISABLE_TELEMETRY: '1' };
  if (contender === 'ours') {
    const service = predict === undefined ? 'inference' : 'prediction';
    const settings = { SERVICE: service, MODEL_PATH: repository, HOST: '127.0.0.1' };
    const argv = [process.execPath, path('../../../services/main.ts')];
    // The working directory is the repository, so that a settings file of the checkout has no effect.
    return { argv, env: { ...env, ...settings, PORT: '0', GRPC_PORT: '0' }, cwd: repository };
  }
  const task: V2Task = { contender, model: file, repository, responseBytes };
  return { argv: [process.execPath, path('process.ts'), JSON.stringify(task)], env };
}

/** Sends one request. Returns the bytes of the response. @throws if they are not the model's outputs. */
async function check({ name, url, request }: V2Server, { expected }: V2Case): Promise<number> {
  const response = await send(url, request);
  const { byteLength } = await response.clone().arrayBuffer();
  if (name === 'floor') return byteLength;
  if (name === 'predict') {
    const wrong = mismatch((await response.json()) as PredictResponse, { scores: expected });
    if (wrong === undefined) return byteLength;
    throw new Error(`predict has a wrong response: ${wrong}`);
  }
  const y = await readResponse(response);
  const wrong = expected.findIndex((value, at) => !(Math.abs(y[at]! - value) <= TOLERANCE));
  if (y.length === expected.length && wrong === -1) return byteLength;
  throw new Error(
    `${name} returns ${y.length} numbers, expected ${expected.length}; number ${wrong} is ${y[wrong]}, expected ${expected[wrong]}`,
  );
}
