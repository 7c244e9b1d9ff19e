import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '../../bench/lib/row.ts';
import { cases } from '../../bench/suites/v2/cases.ts';
import { v2Figures, v2Tables } from '../../bench/suites/v2/report.ts';
import { targets } from '../../bench/targets.ts';

const row = (contender: string, width: number, perSecond: number, serverCpuUs: number): Row => ({
  ...{ model: 'row', contender, width, repeat: 0, perSecond, serverCpuUs },
  http: {
    ...{ meanMs: 1, p50Ms: 1, p99Ms: 2, driverCpuUs: 8, otherCores: 0 },
    busiest: { name: 'js', onCpu: 1, busy: 1 },
  },
});

const rows: readonly Row[] = [1, 8, 64].flatMap((width) => [
  row('ours', width, 900 * width, 22),
  row('predict', width, 1000 * width, 20),
  row('onnxruntime-node', width, 600 * width, 40),
]);

const ofRow = cases.filter(({ name }) => name === 'row');

const figures = (some: readonly Row[]) =>
  v2Figures(ofRow, some).map(({ target, aim, outcome }) => [target, aim, outcome]);

test('a row is compared with /predict by CPU time and with onnxruntime-node by rate', () => {
  assert.deepEqual(figures(rows), [
    ['T24', 'C=1', { values: [1.1] }],
    ['T24', 'C=64', { values: [1.1] }],
    ['T25', 'C=1', { values: [1.5] }],
    ['T25', 'C=8', { values: [1.5] }],
    ['T25', 'C=64', { values: [1.5] }],
  ]);
});

test('CPU times are judged without saturation, and rates are not', () => {
  const idle = rows.map((one): Row => {
    const busiest = { ...one.http!.busiest, busy: 0.8 };
    return { ...one, http: { ...one.http!, busiest } };
  });
  const many = figures(idle).filter(([, aim]) => aim === 'C=64');
  assert.deepEqual(many[0], ['T24', 'C=64', { values: [1.1] }]);
  assert.match(JSON.stringify(many[1]), /"void":"the busiest thread of ours was only 0\.80 busy/);
});

test('a failed /predict fails only the figures that need it', () => {
  const broken = rows.map((one) =>
    one.contender === 'predict' ? { ...one, failure: '3 responses were not 2xx' } : one,
  );
  const failure = { failed: 'predict: 3 responses were not 2xx' };
  assert.deepEqual(figures(broken)[0], ['T24', 'C=1', failure]);
  assert.deepEqual(figures(broken)[2], ['T25', 'C=1', { values: [1.5] }]);
});

test('v2Tables has the selected cases, with a line for each route and number of requests in flight', () => {
  const lines = v2Tables(ofRow, rows).split('\n');
  assert.equal(lines[0], ofRow[0]!.title);
  assert.equal(lines.length, 3 + rows.length);
  assert.match(lines[3]!, /^ours\s+1\s+900\s+±0\.0 %\s+22\s+±0\.0 %/);
});

test('every judged ratio has a target of the suite with that aim', () => {
  for (const { target: id, aim } of cases.flatMap(({ judged }) => judged)) {
    const target = targets.find((one) => one.id === id);
    assert.ok(target && 'suite' in target && target.suite === 'v2', `${id} is a target of v2`);
    assert.ok(aim in target.aims, `${id} has the aim '${aim}'`);
  }
});
