/**
 * Measures the service under traffic of an open loop: below capacity, beyond it, and in bursts.
 *
 * @module
 */
import { join } from 'node:path';
import { contender as ours } from '../../contenders/ours.ts';
import { type OpenLoad, runOpenLoop } from '../../drivers/open-loop.ts';
import { findModel, referenceFor, writeRepository } from '../../lib/models.ts';
import { machineBusy, sampleProcess, useBetween } from '../../lib/proc.ts';
import { createProgress } from '../../lib/progress.ts';
import { measureHttp, requestBody, type Server, startServer } from '../../lib/servers.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { type OpenRow, type OpenScenario, openFigures, openTable, scenarios } from './report.ts';

const MODEL = 'fixed-cost';
/** Few rows, so that the model and not HTTP is the bottleneck. */
const MAX_ROWS = 4;
/** The deadline of requests in the server, and the maximum latency of a response in time, milliseconds. */
const DEADLINE_MS = 20;
const IN_TIME_MS = 25;
const WARM_UP_MS = 500;
/** Enough connections for full batches. */
const CAPACITY_CONNECTIONS = 4 * MAX_ROWS;

export async function openLoop(plan: Plan): Promise<SuiteResult> {
  const model = { ...(await findModel(MODEL)), maxRows: MAX_ROWS };
  const reference = await referenceFor(model);
  const repository = join(plan.scratch, 'open-loop');
  await writeRepository(repository, model);
  const server = await startServer(ours, { model, repository, responseBytes: 0 }, reference);
  await using _ = server.child;
  const body = requestBody(reference);
  const steps = plan.repeats * scenarios.length;
  const progress = createProgress(steps, plan.log, () => performance.now());
  await measureCapacity(plan, server, body);
  const rows: OpenRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    const capacity = await measureCapacity(plan, server, body);
    for (const scenario of scenarios) {
      const load = openLoad(plan, scenario, capacity, { url: server.url, body, seed: repeat + 1 });
      const measured = await measureOpen(server, load);
      const { name } = scenario;
      const seconds = load.milliseconds / 1000;
      rows.push({ scenario: name, repeat, capacity, seconds, ...measured });
      const { inTime, offered } = measured;
      progress.step(`open loop ${name}: ${figure((100 * inTime) / offered)} % in time`);
    }
  }
  const text = `Open loop, model ${MODEL} with ${MAX_ROWS} rows per batch, ${DEADLINE_MS} ms allowed\n${openTable(rows)}`;
  return { name: 'open-loop', data: rows, text, gates: [], figures: openFigures(rows) };
}

/** The responses per second of a closed loop. @throws if a response is missing. */
async function measureCapacity(plan: Plan, server: Server, body: string): Promise<number> {
  const seconds = plan.seconds / 2;
  const load = { connections: CAPACITY_CONNECTIONS, seconds, body };
  const { perSecond, failure } = await measureHttp(plan.driver, server, load);
  if (failure) throw new Error(`The capacity cannot be measured: ${failure}`);
  return perSecond;
}

async function measureOpen({ child }: Server, load: OpenLoad) {
  const sample = () => Promise.all([sampleProcess(child.pid), machineBusy()]);
  let before = await sample();
  const result = await runOpenLoop(load, async () => {
    before = await sample();
  });
  const after = await sample();
  const { cpuSeconds, seconds, busiest } = useBetween(before[0], after[0]);
  const others = (after[1] - before[1] - cpuSeconds - result.cpuSeconds) / seconds;
  return { ...result, onCpu: busiest.onCpu, otherCores: Math.max(0, others) };
}

function openLoad(
  plan: Plan,
  { traffic, share, deadline }: OpenScenario,
  capacity: number,
  target: { url: string; body: string; seed: number },
): OpenLoad {
  return {
    ...target,
    ...(deadline ? { deadlineMs: DEADLINE_MS } : {}),
    inTimeMs: IN_TIME_MS,
    traffic,
    perSecond: share * capacity,
    milliseconds: plan.seconds * 1000,
    warmUpMs: WARM_UP_MS,
  };
}
