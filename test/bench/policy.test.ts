import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rotated } from '../../bench/lib/rotated.ts';
import { policyFigures, policyTable } from '../../bench/suites/policy/report.ts';
import type { PolicyRow } from '../../bench/suites/policy/row.ts';
import { CAPACITY, loads, policies } from '../../bench/suites/policy/scenarios.ts';

/** Rates and latencies of a policy: `excess` is twice as good as `busy`, and timers add their delay. */
function rows(repeats: number): PolicyRow[] {
  const delays: Record<string, number> = { 'timer 1 ms': 1, 'timer 5 ms': 5 };
  return Array.from({ length: repeats }).flatMap((_, repeat) =>
    loads.flatMap(({ name }) =>
      Object.keys(policies).map((policy): PolicyRow => {
        const ms = 2 * (repeat + 1) + (delays[policy] ?? 0);
        const times = policy === 'excess' ? 2 : 1;
        return {
          ...{ policy, load: name, repeat, batch: 4 },
          ...{ perSecond: 100 * times, meanMs: ms, p50Ms: ms, p99Ms: (3 * ms) / times },
        };
      }),
    ),
  );
}

const valuesOf = (target: string, aim: string, of: string) => {
  const found = policyFigures(rows(2)).find(
    (one) => one.target === target && one.aim === aim && one.of === of,
  );
  assert.ok(found && 'values' in found.outcome, `${target} ${aim} ${of} was not judged`);
  return found.outcome.values;
};

test('rotated shifts the order by one per repeat', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((repeat) => rotated(['a', 'b', 'c'], repeat).join('')),
    ['abc', 'bca', 'cab', 'abc'],
  );
});

test('policyFigures compares ours with the policy of the target in the same repeat', () => {
  assert.deepEqual(valuesOf('T5', '1 ms', 'C=1'), [2 / 3, 4 / 5]);
  assert.deepEqual(valuesOf('T5', '5 ms', 'C=1'), [2 / 7, 4 / 9]);
  for (const load of ['C=4', 'C=8']) {
    assert.deepEqual(valuesOf('T6', 'throughput', load), [2, 2]);
    assert.deepEqual(valuesOf('T6', 'p99', load), [0.5, 0.5]);
  }
  assert.deepEqual(valuesOf('T7', '', 'Poisson 0.3'), [1, 1]);
  assert.equal(policyFigures(rows(1)).length, 8);
});

test('policyFigures does not judge an incomplete comparison', () => {
  const some = rows(1).filter(({ policy }) => policy !== 'busy');
  assert.throws(() => policyFigures(some), /busy was not measured under C=4/);
});

test('policyTable has a line for each load and policy', () => {
  const lines = policyTable(rows(2)).split('\n').slice(2);
  assert.equal(lines.length, loads.length * Object.keys(policies).length);
  assert.match(lines[0]!, /^C=1\s+excess\s+200\s+±0\.0 %\s+4\s+3\s+3\s+4\.5\s+2\s+1\s+0\.5$/);
});

test('the capacity is measured before the traffic that depends on it', () => {
  const first = loads.findIndex((load) => 'share' in load);
  const capacity = loads.indexOf(CAPACITY);
  assert.ok(capacity >= 0 && capacity < first);
});
