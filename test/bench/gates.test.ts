import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gate, gateTable, judge, voided } from '../../bench/lib/gates.ts';
import { summarise } from '../../bench/lib/stats.ts';

const atLeast: Gate = { name: 'ours ÷ limit', bound: 'at least', limit: 0.9 };
const atMost: Gate = { name: 'block', bound: 'at most', limit: 1, unit: 'ms' };

test('judge passes a gate that every repeat reaches, including the limit itself', () => {
  assert.equal(judge(atLeast, summarise([0.9, 0.95, 1])).verdict, 'PASS');
  assert.equal(judge(atMost, summarise([0.2, 1])).verdict, 'PASS');
});

test('judge fails a gate that no repeat reaches', () => {
  assert.equal(judge(atLeast, summarise([0.7, 0.89])).verdict, 'FAIL');
  assert.equal(judge(atMost, summarise([1.1, 3])).verdict, 'FAIL');
});

test('judge is unsure if the spread is larger than the margin', () => {
  const result = judge(atLeast, summarise([0.85, 0.92, 0.95]));
  assert.equal(result.verdict, 'UNSURE');
  assert.match(result.reason!, /median passes/);
  assert.match(judge(atMost, summarise([0.5, 2, 3])).reason!, /median fails/);
});

test('gateTable shows every gate, and the reason of a gate that was not judged', () => {
  const text = gateTable([
    judge(atMost, summarise([0.2, 0.3, 0.4])),
    voided(atLeast, 'raw was not measured'),
  ]);
  assert.match(text, /^block\s+≤ 1 ms\s+0\.3\s+0\.2 – 0\.4\s+PASS$/m);
  assert.match(text, /^VOID {2}ours ÷ limit: raw was not measured$/m);
});
