/**
 * Compares the engine's policies for when an incomplete batch runs. Everything else is equal: the same engine, instance and
 * clients, in one process and in turns, without HTTP.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { Child, jsonLine } from '../../lib/child.ts';
import { findModel, referenceFor } from '../../lib/models.ts';
import { createProgress } from '../../lib/progress.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { policyFigures, policyTable } from './report.ts';
import type { PolicyRow, PolicyTask } from './row.ts';
import { loads, policies } from './scenarios.ts';

const SCRIPT = fileURLToPath(new URL('process.ts', import.meta.url));

/**
 * The targets are about a model whose batch costs a + c · rows with a ≥ 5 c. The other has runs
 * that are shorter than a round trip, as small models do, so no client returns in time to wait for it.
 */
const JUDGED = 'fixed-cost';
const SHORT = 'small';

/** Shares of the usual length of a measurement, and the time for a policy to learn the load. */
const LENGTHS: Readonly<Record<string, { closed: number; open: number; warmUpMs: number }>> = {
  [JUDGED]: { closed: 0.25, open: 0.5, warmUpMs: 200 },
  [SHORT]: { closed: 0.1, open: 0.15, warmUpMs: 50 },
};

export async function policy(plan: Plan): Promise<SuiteResult> {
  const names = Object.keys(LENGTHS);
  const each = plan.repeats * loads.length * Object.keys(policies).length;
  const progress = createProgress(names.length * each, plan.log, () => performance.now());
  const data: Record<string, PolicyRow[]> = {};
  for (const name of names) {
    const rows: PolicyRow[] = [];
    data[name] = rows;
    await using child = await start(plan, name);
    while (rows.length < each) {
      const row = await child.line(jsonLine<PolicyRow>('policy'));
      rows.push(row);
      const about = `${name} ${row.policy}, ${row.load}`;
      progress.step(`${about}: ${figure(row.perSecond)}/s · p50 ${figure(row.p50Ms)} ms`);
    }
    await child.finished();
  }
  const text = names.map((name) => `Policies, model ${name}\n${policyTable(data[name]!)}`);
  const figures = policyFigures(data[JUDGED]!);
  return { name: 'policy', data, text: text.join('\n\n'), gates: [], figures };
}

async function start(plan: Plan, name: string): Promise<Child> {
  const model = await findModel(name);
  const { features, scores } = await referenceFor(model);
  const lengths = LENGTHS[name]!;
  const task: PolicyTask = {
    model,
    features,
    score: scores[0]!,
    repeats: plan.repeats,
    warmUpMs: lengths.warmUpMs,
    closedMs: plan.seconds * lengths.closed * 1000,
    openMs: plan.seconds * lengths.open * 1000,
  };
  return Child.start({ argv: [process.execPath, SCRIPT, JSON.stringify(task)] });
}
