/**
 * Measures what parts of the platform cost a request: two services that differ only in that part, or a service and the
 * bare floor, are measured in turns.
 *
 * @module
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveCommand } from '../../contenders/serve-command.ts';
import { Child, type Command, jsonLine } from '../../lib/child.ts';
import { findModel } from '../../lib/models.ts';
import { createProgress } from '../../lib/progress.ts';
import { rateTable } from '../../lib/rate-table.ts';
import { outcomeOf } from '../../lib/ratio.ts';
import { rotated } from '../../lib/rotated.ts';
import type { Row } from '../../lib/row.ts';
import { measureHttp, send } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { cases, type PlatformCase, type PlatformServer } from './cases.ts';

const MODEL = 'tiny';
const WARM_UP_SECONDS = 1;

interface Measured {
  readonly name: string;
  readonly child: Child;
  readonly url: string;
}

export async function platform(plan: Plan): Promise<SuiteResult> {
  const servers = cases.reduce((sum, one) => sum + one.servers.length, 0);
  const steps = servers * plan.repeats * plan.connections.length;
  const progress = createProgress(steps, plan.log, () => performance.now());
  const rows: Row[] = [];
  for (const one of cases) {
    for await (const row of measureCase(plan, one)) {
      rows.push(row);
      const { model, contender, width, serverCpuUs, failure } = row;
      const problem = failure ? ` · FAILED: ${failure}` : '';
      progress.step(
        `platform ${model} ${contender} ×${width}: ${figure(serverCpuUs)} µs${problem}`,
      );
    }
  }
  const rowsOf = ({ name }: PlatformCase) => rows.filter(({ model }) => model === name);
  const figures = cases.flatMap((one) =>
    one.judged.map(({ target, aim, ratio }): Figure => {
      return { target, aim, of: '', outcome: outcomeOf(ratio, rowsOf(one)) };
    }),
  );
  const text = cases.map((one) => `${one.title}\n${rateTable(rowsOf(one))}`).join('\n\n');
  return { name: 'platform', data: rows, text, gates: [], figures };
}

async function* measureCase(plan: Plan, one: PlatformCase): AsyncGenerator<Row> {
  const { request } = one;
  await using stack = new AsyncDisposableStack();
  const servers: Measured[] = [];
  let responseBytes = 0;
  for (const server of one.servers) {
    const folder = join(plan.scratch, 'platform', one.name, server.name);
    const start = server.isFloor ? await floor(responseBytes) : await command(server, folder);
    const child = stack.use(await Child.start(start));
    const { port } = await child.line(jsonLine<{ port: number }>('port'));
    const url = `http://127.0.0.1:${port}/predict`;
    responseBytes = (await (await send(url, request)).arrayBuffer()).byteLength;
    await plan.driver.run({ ...request, url, connections: 8, seconds: WARM_UP_SECONDS });
    servers.push({ name: server.name, child, url });
  }
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const width of plan.connections) {
      for (const server of rotated(servers, repeat)) {
        const load = { ...request, connections: width, seconds: plan.seconds };
        const measured = await measureHttp(plan.driver, server, load);
        yield { model: one.name, contender: server.name, width, repeat, ...measured };
      }
    }
  }
}

/** The command that starts the bare floor, which has no model. */
const floor = async (responseBytes: number): Promise<Command> =>
  serveCommand('bare-floor', { model: await findModel(MODEL), repository: '', responseBytes });

/** Writes the repository and the routes of a server. @returns the command that starts it */
async function command({ settings, routes }: PlatformServer, folder: string): Promise<Command> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const repository = join(folder, 'models');
  for (const version of ['1', '2']) {
    await mkdir(join(repository, MODEL, version), { recursive: true });
    await symlink(
      path(`../../models/${MODEL}.onnx`),
      join(repository, MODEL, version, 'model.onnx'),
    );
  }
  const config = { task: 'classification', default_version: '1' };
  await writeFile(join(repository, MODEL, 'model.json'), JSON.stringify(config));
  const file = join(folder, 'routing.json');
  if (routes !== undefined) await writeFile(file, JSON.stringify(routes));
  return {
    argv: [process.execPath, path('../../../services/main.ts')],
    env: {
      ...{ MODEL_PATH: repository, SERVICE: 'prediction', HOST: '127.0.0.1', PORT: '0' },
      ...{ NODE_ENV: 'production', ...(routes === undefined ? {} : { ROUTING_FILE: file }) },
      ...settings,
    },
    // The working directory is not the checkout, so that a settings file there has no effect.
    cwd: folder,
  };
}
