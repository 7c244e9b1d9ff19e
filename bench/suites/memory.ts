/**
 * Measures the memory of the idle prediction service with the demonstration models.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { contender as ours } from '../contenders/ours.ts';
import { Child, jsonLine } from '../lib/child.ts';
import { type Gate, judge } from '../lib/gates.ts';
import { residentBytes } from '../lib/proc.ts';
import { summarise } from '../lib/stats.ts';
import { figure } from '../lib/table.ts';
import type { Plan, SuiteResult } from './types.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));
const REQUESTS = 100;
const BODY = JSON.stringify({ features: [5.1, 3.5, 1.4, 0.2] });
/** Time from the last response to the measurement. */
const IDLE_MS = 2000;
const GATE: Gate = {
  name: `idle resident memory of the service after ${REQUESTS} requests`,
  bound: 'at most',
  limit: 150,
  unit: 'MB',
};

export async function memory(plan: Plan): Promise<SuiteResult> {
  const megabytes: number[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    megabytes.push((await idleResidentBytes(plan)) / 1e6);
    plan.log(`memory of the idle service: ${figure(megabytes.at(-1)!)} MB\n`);
  }
  const summary = summarise(megabytes);
  const text = `${GATE.name}: ${figure(summary.median)} MB`;
  return { name: 'memory', data: { megabytes }, text, gates: [judge(GATE, summary)], figures: [] };
}

async function idleResidentBytes(plan: Plan): Promise<number> {
  const setup = { model: plan.models[0]!, repository: MODELS, responseBytes: 0 };
  await using child = await Child.start(ours.command(setup));
  const { port } = await child.line(jsonLine<{ port: number }>('port'));
  for (let i = 0; i < REQUESTS; i += 1) {
    const headers = { 'content-type': 'application/json' };
    const url = `http://127.0.0.1:${port}/predict`;
    const response = await fetch(url, { method: 'POST', headers, body: BODY });
    if (!response.ok) throw new Error(`The service returned status ${response.status}`);
    await response.arrayBuffer();
  }
  await delay(IDLE_MS);
  return await residentBytes(child.pid);
}
