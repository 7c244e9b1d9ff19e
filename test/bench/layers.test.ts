import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BoundaryRow,
  boundaryFigures,
  boundaryTable,
} from '../../bench/suites/boundary/report.ts';
import { QUEUES, type QueueRow, queueGates, queueTable } from '../../bench/suites/queue/report.ts';
import { type ThreadRow, threadFigures, threadTables } from '../../bench/suites/threads/report.ts';
import { pickSkewed, threadOf } from '../../bench/suites/threads/skew.ts';

const layers: BoundaryRow = {
  repeat: 0,
  raw: { idleUs: 10, manyCpuUs: 1 },
  batcher: { idleUs: 14, manyCpuUs: 1.5 },
  addon: {
    ...{ futexWakeUs: 5, loopWakeUs: 15, manyCpuUs: 3, standInCpuUs: 1, manyPerSecond: 300_000 },
    inline: { p50Us: 15, addedP50Us: 5 },
    instance: { p50Us: 50, addedP50Us: 36 },
  },
  floor: { idleUs: 40, manyCpuUs: 10 },
  service: { idleUs: 62, manyCpuUs: 14 },
  copies: { copied: 1.25, transferred: 1, parsed: 1 },
};

const figureOf = (row: BoundaryRow, target: string, aim: string) =>
  boundaryFigures([row]).find((one) => one.target === target && one.aim === aim)?.outcome;

test('boundaryFigures subtracts from each layer the layers below it', () => {
  const instance = 'through an instance ÷ (futex wake + loop wake)';
  assert.deepEqual(figureOf(layers, 'T4', instance), { values: [1.8] });
  assert.deepEqual(figureOf(layers, 'T4', 'inline'), { values: [12] });
  assert.deepEqual(figureOf(layers, 'T14', ''), { values: [0.05] });
  assert.deepEqual(figureOf(layers, 'T13', 'copied'), { values: [1.25] });
  assert.deepEqual(figureOf(layers, 'T13', 'transferred'), { values: [1] });
  assert.deepEqual(figureOf(layers, 'T13', 'of the V2 protocol'), { values: [1] });
});

test('boundaryFigures fails the figures that depend on HTTP if HTTP failed', () => {
  const row = { ...layers, failure: '2 responses were not 2xx' };
  for (const [target, aim] of [
    ['T4', 'inline'],
    ['T14', ''],
  ] as const) {
    assert.deepEqual(figureOf(row, target, aim), { failed: '2 responses were not 2xx' });
  }
  assert.deepEqual(figureOf(row, 'T13', 'transferred'), { values: [1] });
});

test('boundaryTable has a line for each layer', () => {
  const text = boundaryTable([layers]);
  assert.match(text, /^addon from JavaScript, through an instance\s+50\s+3$/m);
  assert.match(text, /^addon from JavaScript, inline\s+15$/m);
  assert.match(text, /by the service 12 µs$/m);
});

const queues = (held: number): QueueRow[] =>
  [false, true].flatMap((paused) =>
    QUEUES.map((queue) => ({
      ...{ queue, repeat: 0, paused, producers: 4, submits: 1000, pauses: paused ? 100 : 0 },
      held: queue === 'inbox' || !paused ? held : 300,
      ...{ p50Ns: 100, p99Ns: 9000, p999Ns: 20_000, maxNs: 500_000 },
    })),
  );

test('queueGates counts the submits that a stopped consumer delayed, only for the inbox', () => {
  const [gate, ...others] = queueGates(queues(0));
  assert.deepEqual([gate?.verdict, gate?.measured?.max, others], ['PASS', 0, []]);
  assert.equal(queueGates(queues(10))[0]?.verdict, 'FAIL');
});

test('queueTable shows how many submits a stop delays', () => {
  assert.match(
    queueTable(queues(0)),
    /^mutex\s+4\s+stopped\s+100\s+9,000\s+20,000\s+500,000\s+3$/m,
  );
});

const native = (items_per_second: number, megabytes: number) => ({
  ...{ items_per_second, cpu_seconds: 1, seconds: 1, resident_bytes: megabytes * 1e6 },
});

const threads: ThreadRow = {
  repeat: 0,
  ours: { cpuShare: 0.05, p50Ms: 0.3 },
  spinning: { cpuShare: 1, p50Ms: 0.2 },
  instances: [
    { model: 'medium', shared: native(150, 50), separate: native(100, 60) },
    { model: 'large', shared: native(130, 110), separate: native(100, 180) },
  ],
  emptyBytes: 40e6,
  skew: {
    failed: 0,
    threads: [
      { connections: 22, perSecond: 2000, p50Ms: 2, p99Ms: 6 },
      { connections: 14, perSecond: 1500, p50Ms: 2, p99Ms: 5 },
    ],
  },
};

test('threadFigures compares ours with spinning threads, one session with two, and thread with thread', () => {
  const figures = threadFigures([threads]).map(({ target, aim, of, outcome }) => [
    [target, aim, of].join(' ').trim(),
    'values' in outcome ? outcome.values[0]?.toFixed(3) : undefined,
  ]);
  assert.deepEqual(figures, [
    ['T11 CPU time', '0.050'],
    ['T11 p50 of a run', '1.500'],
    ['T12 throughput medium', '1.500'],
    ['T12 memory large', '0.500'],
    ['T16', '1.200'],
  ]);
});

test('threadFigures does not judge indistinguishable threads, and fails requests without a response', () => {
  const outcome = (skew: ThreadRow['skew']) =>
    threadFigures([{ ...threads, skew }]).find(({ target }) => target === 'T16')?.outcome;
  const { skew } = threads;
  assert.match(
    JSON.stringify(outcome({ ...skew, threads: skew.threads.slice(1) })),
    /"void":"connections could be told apart into 1 threads, not 2"/,
  );
  assert.match(JSON.stringify(outcome({ ...skew, failed: 4 })), /"failed":"4 requests/);
});

test('threadTables shows all three measurements', () => {
  const text = threadTables([threads]);
  assert.match(text, /^onnxruntime-node\s+1\s+0\.2$/m);
  assert.match(text, /^large\s+separate\s+100\s+180$/m);
  assert.match(text, /^2\s+14\s+1,500\s+2\s+5$/m);
});

test('threadOf returns the part of a request id that identifies its thread', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: req_0123456789a1f';
  assert.equal(threadOf(head), 'req_0123456789');
  assert.equal(threadOf('HTTP/1.1 200 OK'), '');
});

test('pickSkewed selects the requested number of each thread, most from the largest', () => {
  const groups = pickSkewed([...'abbababbb'], (letter) => letter, [4, 2]);
  assert.deepEqual(
    groups.map((group) => group.join('')),
    ['bbbb', 'aa'],
  );
  assert.deepEqual(
    pickSkewed(['a', 'a'], (letter) => letter, [1, 1]),
    [['a']],
  );
});
