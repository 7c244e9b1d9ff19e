import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ProcessTime,
  parseMachineBusy,
  parseSchedstat,
  parseStatCpu,
  parseStatusBytes,
  useBetween,
} from '../../bench/lib/proc.ts';

test('parseStatCpu adds user and system time, whatever the name of the process is', () => {
  const rest = 'S 1 2 3 0 -1 4194304 10 0 0 0 250 75 0 0 20 0 4 0 100 0 0';
  assert.equal(parseStatCpu(`17 (bun) ${rest}`), 3.25);
  assert.equal(parseStatCpu(`17 (a) b (c) ${rest}`), 3.25);
});

test('parseSchedstat returns seconds', () => {
  assert.deepEqual(parseSchedstat('1500000000 250000000 42\n'), { onCpu: 1.5, waiting: 0.25 });
});

test('parseMachineBusy excludes idle time and I/O wait', () => {
  assert.equal(parseMachineBusy('cpu  100 10 50 9999 888 5 15 20 0 0\ncpu0 1 2 3\n'), 2);
});

test('parseStatusBytes returns one field in bytes', () => {
  const text = 'Name:\tbun\nVmPeak:\t  999 kB\nVmRSS:\t   1024 kB\n';
  assert.equal(parseStatusBytes(text, 'VmRSS'), 1_048_576);
  assert.equal(parseStatusBytes(text, 'VmSwap'), undefined);
});

test('useBetween finds the busiest thread, and counts waiting for a core as busy', () => {
  const at = (seconds: number, cpu: number, threads: [number, string, number, number][]) =>
    ({
      at: seconds,
      cpu,
      threads: new Map(
        threads.map(([tid, name, onCpu, waiting]) => [tid, { name, onCpu, waiting }]),
      ),
    }) satisfies ProcessTime;
  const before = at(10, 5, [
    [1, 'js', 4, 0],
    [2, 'instance', 1, 0],
  ]);
  const after = at(12, 8, [
    [1, 'js', 5.5, 0.4],
    [2, 'instance', 2, 0],
    [3, 'late', 0.5, 0],
  ]);
  assert.deepEqual(useBetween(before, after), {
    seconds: 2,
    cpuSeconds: 3,
    busiest: { name: 'js', onCpu: 0.75, busy: 0.95 },
  });
});
