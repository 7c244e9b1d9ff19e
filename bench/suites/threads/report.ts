/** @module The tables of the threads suite and the figures of its targets. */
import type { NativeResult } from '../../contenders/types.ts';
import type { Outcome } from '../../lib/gates.ts';
import { summarise } from '../../lib/stats.ts';
import { figure, table } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { SkewResult } from './skew-process.ts';
import type { SpinFigures } from './spin-process.ts';

/** Two instances with one session, and with one session each. */
export interface InstancePair {
  readonly model: string;
  readonly shared: NativeResult;
  readonly separate: NativeResult;
}

/** The measurements of one repeat. */
export interface ThreadRow {
  readonly repeat: number;
  readonly ours: SpinFigures;
  readonly spinning: SpinFigures;
  readonly instances: readonly InstancePair[];
  /** Resident memory of a program with a tiny model, bytes. */
  readonly emptyBytes: number;
  readonly skew: SkewResult;
}

type Rows = readonly ThreadRow[];

const median = (rows: Rows, of: (row: ThreadRow) => number) =>
  figure(summarise(rows.map(of)).median);

/** A model whose weights exceed the cache of a core, so that two copies compete for the shared cache. */
const CACHED = 'medium';
/** A model whose weights are most of the memory. */
const HEAVY = 'large';
export const INSTANCE_MODELS = [CACHED, HEAVY] as const;

export function threadFigures(rows: Rows): Figure[] {
  const values = (of: (row: ThreadRow) => number): Outcome => ({ values: rows.map(of) });
  return [
    {
      target: 'T11',
      aim: 'CPU time',
      of: '',
      outcome: values(({ ours, spinning }) => ours.cpuShare / spinning.cpuShare),
    },
    {
      target: 'T11',
      aim: 'p50 of a run',
      of: '',
      outcome: values(({ ours, spinning }) => ours.p50Ms / spinning.p50Ms),
    },
    {
      target: 'T12',
      aim: 'throughput',
      of: CACHED,
      outcome: values((row) => {
        const { shared, separate } = pairOf(row, CACHED);
        return shared.items_per_second / separate.items_per_second;
      }),
    },
    { target: 'T12', aim: 'memory', of: HEAVY, outcome: values(memoryRatio) },
    { target: 'T16', aim: '', of: '', outcome: skewOutcome(rows) },
  ];
}

const pairOf = ({ instances }: ThreadRow, model: string) =>
  instances.find((pair) => pair.model === model)!;

/** The memory of one session ÷ that of two, without that of the program. */
function memoryRatio(row: ThreadRow): number {
  const { shared, separate } = pairOf(row, HEAVY);
  const beyond = ({ resident_bytes }: NativeResult) => resident_bytes - row.emptyBytes;
  return beyond(shared) / beyond(separate);
}

function skewOutcome(rows: Rows): Outcome {
  const failed = rows.reduce((sum, { skew }) => sum + skew.failed, 0);
  if (failed > 0) return { failed: `${failed} requests had no response, or not a 2xx` };
  const other = rows.find(({ skew }) => skew.threads.length !== 2);
  if (other) {
    const count = other.skew.threads.length;
    return { void: `connections could be told apart into ${count} threads, not 2` };
  }
  return {
    values: rows.map(({ skew }) => {
      const p99s = skew.threads.map(({ p99Ms }) => p99Ms);
      return Math.max(...p99s) / Math.min(...p99s);
    }),
  };
}

export function threadTables(rows: Rows): string {
  return [spinTable(rows), instanceTable(rows), skewTable(rows)].join('\n\n');
}

function spinTable(rows: Rows): string {
  const line = (name: string, of: (row: ThreadRow) => SpinFigures) => [
    name,
    median(rows, (row) => of(row).cpuShare),
    median(rows, (row) => of(row).p50Ms),
  ];
  const lines = [line('ours', (row) => row.ours), line('onnxruntime-node', (row) => row.spinning)];
  const header = ['50 runs a second on 2 threads', 'cores in use', 'p50 ms'];
  return table(header, lines);
}

function instanceTable(rows: Rows): string {
  const header = ['two instances', 'session', 'per second', 'resident MB'];
  const lines = INSTANCE_MODELS.flatMap((model) =>
    (['shared', 'separate'] as const).map((kind) => [
      model,
      kind,
      median(rows, (row) => pairOf(row, model)[kind].items_per_second),
      median(rows, (row) => pairOf(row, model)[kind].resident_bytes / 1e6),
    ]),
  );
  return table(header, lines);
}

function skewTable(rows: Rows): string {
  const header = ['HTTP thread', 'connections', 'per second', 'p50 ms', 'p99 ms'];
  const count = Math.min(...rows.map(({ skew }) => skew.threads.length));
  const lines = Array.from({ length: count }, (_, i) => {
    const of = (value: (thread: SkewResult['threads'][number]) => number) =>
      median(rows, ({ skew }) => value(skew.threads[i]!));
    return [
      String(i + 1),
      of((thread) => thread.connections),
      of((thread) => thread.perSecond),
      of((thread) => thread.p50Ms),
      of((thread) => thread.p99Ms),
    ];
  });
  return table(header, lines);
}
