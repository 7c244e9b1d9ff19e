import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchSizes } from '../../bench/lib/native.ts';
import type { Row } from '../../bench/lib/row.ts';
import { judgeRatios, targetFigures } from '../../bench/suites/throughput/ratios.ts';
import { reportThroughput } from '../../bench/suites/throughput/report.ts';

const native = (contender: string, perSecond: number, repeat = 0): Row => ({
  model: 'small',
  contender,
  width: 64,
  repeat,
  perSecond,
  serverCpuUs: 20,
});

const http = (contender: string, width: number, perSecond: number, repeat = 0, busy = 1): Row => ({
  ...native(contender, perSecond, repeat),
  width,
  http: {
    meanMs: (width / perSecond) * 1000,
    p50Ms: 1,
    p99Ms: 2,
    driverCpuUs: 8,
    busiest: { name: 'js', onCpu: busy, busy },
    otherCores: 0,
  },
});

const gate = (rows: readonly Row[], name: string) => {
  const found = judgeRatios(rows).find((result) => result.name === name);
  assert.ok(found, `there is no gate ${name}`);
  return found;
};

test('batchSizes doubles up to the maximum and ends with it', () => {
  assert.deepEqual(batchSizes(64), [1, 2, 4, 8, 16, 32, 64]);
  assert.deepEqual(batchSizes(20), [1, 2, 4, 8, 16, 20]);
  assert.deepEqual(batchSizes(1), [1]);
});

test('judgeRatios divides measurements of the same repeat', () => {
  const rows = [0, 1].flatMap((repeat) => [
    native('raw', 100 * (repeat + 1), repeat),
    http('bare-floor', 64, 100 * (repeat + 1), repeat),
    http('ours', 64, 48 * (repeat + 1), repeat),
  ]);
  const result = gate(rows, 'ours ÷ additive limit, small, C=64');
  assert.equal(result.verdict, 'PASS');
  assert.deepEqual([result.measured?.min, result.measured?.max], [0.96, 0.96]);
});

test('judgeRatios does not judge a server that was not saturated', () => {
  const rows = [http('bare-floor', 64, 100, 0, 0.8), http('edge-floor', 64, 95)];
  const result = gate(rows, 'edge floor ÷ bare floor, small, C=64');
  assert.equal(result.verdict, 'VOID');
  assert.match(result.reason!, /bare-floor was only 0\.80 busy/);
});

test('judgeRatios does not require saturation with a single connection', () => {
  const rows = [http('ours', 1, 100, 0, 0.5), http('onnxruntime-node', 1, 100, 0, 0.5)];
  assert.equal(gate(rows, 'ours ÷ onnxruntime-node, small, C=1').verdict, 'PASS');
});

test('judgeRatios fails a ratio with a failed row', () => {
  const rows = [
    { ...http('ours', 64, 900), failure: '3 responses were not 2xx' },
    http('onnxruntime-node', 64, 100),
  ];
  const result = gate(rows, 'ours ÷ onnxruntime-node, small, C=64');
  assert.equal(result.verdict, 'FAIL');
  assert.equal(result.reason, 'ours: 3 responses were not 2xx');
});

test('judgeRatios has a reason for missing measurements', () => {
  const result = gate([native('raw', 100)], 'native driver ÷ raw, small, C=64');
  assert.equal(result.verdict, 'VOID');
  assert.equal(result.reason, 'native-driver was not measured');
});

test('targetFigures returns the ratios as figures of the targets', () => {
  const rows = [native('raw', 100), http('bare-floor', 64, 100), http('ours', 64, 48)];
  const figures = targetFigures(rows).map(({ target, aim, of, outcome }) => [
    ...[target, aim, of, outcome],
  ]);
  assert.deepEqual(figures, [
    ['T2', '', 'small', { values: [0.96] }],
    ['T9', 'small', '', { void: 'onnxruntime-node was not measured' }],
  ]);
});

test('targetFigures subtracts the floor from the latency of a single request, in runs of one row', () => {
  const large = (row: Row, p50Ms: number): Row => ({
    ...row,
    model: 'large',
    http: { ...row.http!, p50Ms },
  });
  const rows = [0, 1].flatMap((repeat) => [
    { ...native('raw-one', 20, repeat), model: 'large', width: 1 },
    large(http('bare-floor', 1, 1000, repeat), 1),
    large(http('ours', 1, 19, repeat), 51 + 5 * repeat),
    large(http('ours', 64, 19, repeat), 400),
  ]);
  const idle = (some: readonly Row[]) =>
    targetFigures(some).find(({ target }) => target === 'T3')?.outcome;
  assert.deepEqual(idle(rows), { values: [1, 1.1] });
  const broken = rows.map((row) =>
    row.contender === 'ours' ? { ...row, failure: 'no response' } : row,
  );
  assert.deepEqual(idle(broken), { failed: 'ours: no response' });
  assert.match(JSON.stringify(idle(rows.slice(1, 3))), /"void":"it needs/);
});

test('reportThroughput shows the additive limit and the latency that ours adds', () => {
  const rows = [
    native('raw', 50_000),
    { ...native('raw-one', 10_000), width: 1 },
    http('bare-floor', 1, 20_000),
    http('ours', 1, 5000),
    http('bare-floor', 64, 50_000),
    http('ours', 64, 24_000),
  ];
  const { text } = reportThroughput(rows);
  assert.match(text, /Additive limit at C=64: 25,000\/s; ours 0\.96 of it/);
  assert.match(text, /Added latency at C=1, ours: 50 µs \(mean 200 − bare floor 50 − run 100\)/);
});
