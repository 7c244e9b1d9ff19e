/**
 * Compares the batcher's inbox with a queue that has a mutex and one that has a condition variable.
 *
 * @module
 */
import { join } from 'node:path';
import { Child, jsonLine } from '../../lib/child.ts';
import { createProgress } from '../../lib/progress.ts';
import { figure } from '../../lib/table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import { QUEUES, type QueueRow, queueGates, queueTable } from './report.ts';

const PRODUCERS = [1, 4] as const;
const PAUSE_US = 500;
/** Submits of each producer per second of a measurement's usual length. */
const SUBMITS_A_SECOND = 1000;
/** Measures each queue without and with pauses of the consumer. */
const LINES = QUEUES.length * 2;

export async function queue(plan: Plan): Promise<SuiteResult> {
  const steps = plan.repeats * PRODUCERS.length;
  const progress = createProgress(steps, plan.log, () => performance.now());
  const rows: QueueRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const producers of PRODUCERS) {
      const measured = await measure(plan, producers, repeat);
      rows.push(...measured);
      const worst = (name: string) =>
        figure(Math.max(...measured.filter((row) => row.queue === name).map((row) => row.maxNs)));
      progress.step(
        `queue, ${producers} producers: longest submit inbox ${worst('inbox')} ns, mutex ${worst('mutex')} ns`,
      );
    }
  }
  const text = `Handing a request over, the consumer stopped for ${PAUSE_US} µs once in 8 takes\n${queueTable(rows)}`;
  return { name: 'queue', data: rows, text, gates: queueGates(rows), figures: [] };
}

async function measure(plan: Plan, producers: number, repeat: number): Promise<QueueRow[]> {
  const flags = {
    producers,
    submits: Math.round(plan.seconds * SUBMITS_A_SECOND),
    'pause-us': PAUSE_US,
    rotate: repeat,
  };
  const options = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  await using child = await Child.start({
    argv: [join(await plan.programs(), 'millrace-bench-queue'), ...options],
  });
  const rows: QueueRow[] = [];
  while (rows.length < LINES) {
    rows.push({ ...(await child.line(jsonLine<Omit<QueueRow, 'repeat'>>('queue'))), repeat });
  }
  await child.finished();
  return rows;
}
