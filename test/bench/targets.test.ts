import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Figure,
  gatesOf,
  judgeTargets,
  type Target,
  targetTable,
} from '../../bench/lib/target-table.ts';
import { suites } from '../../bench/suites/index.ts';
import { targets } from '../../bench/targets.ts';

const some: readonly Target[] = [
  {
    id: 'T1',
    title: 'ours ÷ raw',
    physical: '1',
    suite: 'throughput',
    aims: { '': { bound: 'at least', limit: 0.95 } },
  },
  {
    id: 'T2',
    title: 'idle',
    physical: '0',
    suite: 'policy',
    aims: {
      '1 ms': { bound: 'at most', limit: 0.7, gate: 0.8 },
      inline: { bound: 'at most', limit: 15, unit: 'µs' },
    },
  },
  { id: 'T3', title: 'soak', elsewhere: 'takes an hour' },
];

const figure = (target: string, aim: string, of: string, ...values: number[]): Figure => ({
  target,
  aim,
  of,
  outcome: { values },
});

test('a target is judged by its aim, and a gate by its own limit', () => {
  const figures = [figure('T2', '1 ms', 'small', 0.75, 0.78)];
  const [gate, ...others] = gatesOf(some, figures);
  assert.deepEqual(others, []);
  assert.equal(gate?.name, 'T2 idle, 1 ms, small');
  assert.deepEqual([gate?.verdict, gate?.limit], ['PASS', 0.8]);
  const judged = judgeTargets(some, figures, ['policy']).find(({ name }) => name === '1 ms, small');
  assert.deepEqual(
    [judged?.verdict, judged?.limit, judged?.measured?.median],
    ['FAIL', 0.7, 0.765],
  );
});

test('only an aim with a gate limit is a gate', () => {
  assert.deepEqual(gatesOf(some, [figure('T1', '', 'large', 0.1)]), []);
});

test('judgeTargets keeps every figure of an aim', () => {
  const figures = [figure('T1', '', 'small', 0.96), figure('T1', '', 'large', 0.9, 0.99)];
  const judged = judgeTargets(some, figures, ['throughput']).filter(({ id }) => id === 'T1');
  assert.deepEqual(
    judged.map(({ name, verdict }) => [name, verdict]),
    [
      ['small', 'PASS'],
      ['large', 'UNSURE'],
    ],
  );
});

test('judgeTargets lists every target, with the reason if it was not measured', () => {
  const reasons = judgeTargets(some, [], ['policy']).map(({ id, verdict, reason }) => [
    ...[id, verdict, reason],
  ]);
  assert.deepEqual(reasons, [
    ['T1', 'VOID', 'not measured: the suite throughput did not run'],
    ['T2', 'VOID', 'not measured with these options'],
    ['T2', 'VOID', 'not measured with these options'],
    ['T3', 'VOID', 'not measured: takes an hour'],
  ]);
});

test('a failed measurement fails its figure, and an invalid one makes it void', () => {
  const figures: Figure[] = [
    { target: 'T1', aim: '', of: '', outcome: { failed: 'no response' } },
    { target: 'T2', aim: '1 ms', of: '', outcome: { void: 'the driver was the limit' } },
  ];
  const judged = judgeTargets(some, figures, ['throughput', 'policy']);
  assert.deepEqual([judged[0]?.verdict, judged[0]?.reason], ['FAIL', 'no response']);
  assert.deepEqual([judged[1]?.verdict, judged[1]?.reason], ['VOID', 'the driver was the limit']);
});

test('a figure of an unknown target throws', () => {
  assert.throws(() => gatesOf(some, [figure('T9', '', '', 1)]), /No suite measures T9/);
  assert.throws(() => gatesOf(some, [figure('T3', '', '', 1)]), /No suite measures T3/);
  assert.throws(() => gatesOf(some, [figure('T1', '2 ms', '', 1)]), /T1 has no aim '2 ms'/);
});

test('targetTable prints limit, aim, median, range and verdict', () => {
  const figures = [
    figure('T1', '', 'large', 0.96, 0.97, 0.98),
    figure('T2', '1 ms', '', 0.6),
    figure('T2', 'inline', '', 12),
  ];
  const text = targetTable(judgeTargets(some, figures, ['throughput', 'policy']));
  assert.match(text, /^T1 ours ÷ raw, large\s+1\s+≥ 0\.95\s+0\.97\s+0\.96 – 0\.98\s+PASS$/m);
  assert.match(text, /^T2 idle\s+0$/m);
  assert.match(text, /^ {4}inline\s+≤ 15 µs\s+12\s+12 – 12\s+PASS$/m);
  assert.match(text, /^T3 soak\s+VOID$/m);
  assert.match(text, /^VOID {2}T3: not measured: takes an hour$/m);
});

test('the targets are T1 to T27, each with an existing suite or a reason why it is not measured', () => {
  assert.deepEqual(
    targets.map(({ id }) => id),
    Array.from({ length: 27 }, (_, i) => `T${i + 1}`),
  );
  for (const target of targets) {
    if ('elsewhere' in target) assert.ok(target.elsewhere.length > 0);
    else assert.ok(target.suite in suites, `${target.id} names the suite ${target.suite}`);
  }
});
