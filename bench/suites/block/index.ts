/**
 * Measures how long running a model blocks the JavaScript thread.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { Child, jsonLine } from '../../lib/child.ts';
import { type Gate, judge } from '../../lib/gates.ts';
import { type BenchModel, type Reference, referenceFor } from '../../lib/models.ts';
import { createProgress } from '../../lib/progress.ts';
import { pairedRatios, summarise } from '../../lib/stats.ts';
import { figure, table } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { Plan, SuiteResult } from '../types.ts';
import type { BlockResult, BlockTask } from './process.ts';
import { subjects } from './subjects.ts';

const SCRIPT = fileURLToPath(new URL('process.ts', import.meta.url));
const CONCURRENT = 16;
const ROUNDS = 5;
const GATE: Gate = {
  name: `longest block of the JavaScript thread, ${CONCURRENT} concurrent runs`,
  bound: 'at most',
  limit: 1,
  unit: 'ms CPU',
};

interface BlockRow extends BlockResult {
  readonly subject: string;
  readonly repeat: number;
}

/** Measures the most expensive model. */
export async function block(plan: Plan): Promise<SuiteResult> {
  const model = plan.models.at(-1)!;
  const reference = await referenceFor(model);
  const names = Object.keys(subjects);
  const progress = createProgress(plan.repeats * names.length, plan.log, () => performance.now());
  const rows: BlockRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const subject of names) {
      const row = { subject, repeat, ...(await watch(plan, subject, reference)) };
      rows.push(row);
      progress.step(`block ${model.name} ${subject}: ${figure(row.longestCpuMs)} ms CPU`);
    }
  }
  const { text, ours, wall } = report(model, rows);
  const gate = { ...GATE, name: `${GATE.name} of ${model.name}` };
  const about = (aim: string, values: readonly number[]): Figure => ({
    ...{ target: 'T10', aim, of: model.name },
    outcome: { values },
  });
  return {
    name: 'block',
    data: rows,
    text,
    gates: [judge(gate, summarise(ours))],
    figures: [about('CPU time', ours), about('wall clock ÷ onnxruntime-node', wall)],
  };
}

async function watch(plan: Plan, subject: string, reference: Reference): Promise<BlockResult> {
  const task: BlockTask = {
    model: plan.models.at(-1)!,
    warmUp: plan.models[0]!,
    features: reference.features,
    scores: [...reference.scores],
    concurrent: CONCURRENT,
    rounds: ROUNDS,
  };
  await using child = await Child.start({
    argv: [process.execPath, SCRIPT, subject, JSON.stringify(task)],
    env: { ORT_DISABLE_TELEMETRY: '1' },
  });
  const blocks = await child.line(jsonLine<BlockResult>('longestCpuMs'));
  await child.finished();
  return blocks;
}

interface BlockReport {
  readonly text: string;
  /** The longest block in each repeat, milliseconds of CPU time. */
  readonly ours: readonly number[];
  /** The longest gap in each repeat ÷ that of onnxruntime-node. */
  readonly wall: readonly number[];
}

function report(model: BenchModel, rows: readonly BlockRow[]): BlockReport {
  const of = (subject: string, key: keyof BlockResult) =>
    rows.filter((row) => row.subject === subject).map((row) => row[key]);
  const lines = Object.keys(subjects).map((subject) => {
    const cpu = summarise(of(subject, 'longestCpuMs'));
    const wall = summarise(of(subject, 'longestWallMs'));
    const idle = summarise(of(subject, 'idleCpuMs'));
    return [subject, ...[idle.median, cpu.median, cpu.max, wall.median, wall.max].map(figure)];
  });
  const header = [
    ...['subject', 'idle CPU ms', 'CPU ms, median', 'CPU ms, worst'],
    ...['wall ms, median', 'wall ms, worst'],
  ];
  const wall = pairedRatios(of('ours', 'longestWallMs'), of('onnxruntime-node', 'longestWallMs'));
  const text = [
    `Longest block of the JavaScript thread, ${CONCURRENT} concurrent runs of ${model.name}`,
    table(header, lines),
    `Wall-clock gap, ours ÷ onnxruntime-node: ${figure(summarise(wall).median)}`,
  ].join('\n');
  return { text, ours: of('ours', 'longestCpuMs'), wall };
}
