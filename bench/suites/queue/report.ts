/** @module The table and the gates of the queue suite. */
import { type Gate, type GateResult, judge } from '../../lib/gates.ts';
import { summarise } from '../../lib/stats.ts';
import { figure, table } from '../../lib/table.ts';

/** The queues in the order of native/queue.cc; `nothing` is the cost of the measurement itself. */
export const QUEUES = ['nothing', 'inbox', 'mutex', 'condvar'] as const;

/** The measurement of one queue, as native/queue.cc prints it. */
export interface QueueRow {
  readonly queue: string;
  readonly repeat: number;
  /** Whether the consumer was stopped at times, as if the scheduler preempted it. */
  readonly paused: boolean;
  readonly producers: number;
  readonly submits: number;
  readonly pauses: number;
  /** The number of submits that took longer than half a pause. */
  readonly held: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
}

/**
 * The claim is not that a lock-free queue is fast, but that its submit takes bounded time whatever the consumer does. A
 * submit may take as long as a pause only if it was preempted itself.
 */
const LIMIT = 0.05;

export function queueGates(rows: readonly QueueRow[]): GateResult[] {
  return producerCounts(rows).map((producers) => {
    const name = `submits to the inbox held up by a stopped instance, for each stop, producers: ${producers}`;
    const gate: Gate = { name, bound: 'at most', limit: LIMIT };
    const own = select(rows, 'inbox', producers, true);
    return judge(gate, summarise(own.map(heldPerPause)));
  });
}

const heldPerPause = ({ held, pauses }: QueueRow) => (pauses === 0 ? 0 : held / pauses);

const producerCounts = (rows: readonly QueueRow[]) => [
  ...new Set(rows.map(({ producers }) => producers)),
];

function select(rows: readonly QueueRow[], queue: string, producers: number, paused: boolean) {
  return rows.filter(
    (row) => row.queue === queue && row.producers === producers && row.paused === paused,
  );
}

export function queueTable(rows: readonly QueueRow[]): string {
  const header = [
    ...['queue', 'producers', 'consumer', 'p50 ns', 'p99 ns', 'p99.9 ns', 'longest ns'],
    'held up, for each stop',
  ];
  const lines = producerCounts(rows).flatMap((producers) =>
    [false, true].flatMap((paused) =>
      QUEUES.map((queue) => {
        const own = select(rows, queue, producers, paused);
        const median = (of: (row: QueueRow) => number) => figure(summarise(own.map(of)).median);
        return [
          queue,
          String(producers),
          paused ? 'stopped' : 'calm',
          median((row) => row.p50Ns),
          median((row) => row.p99Ns),
          median((row) => row.p999Ns),
          figure(Math.max(...own.map((row) => row.maxNs))),
          paused && queue !== 'nothing' ? median(heldPerPause) : '',
        ];
      }),
    ),
  );
  return table(header, lines);
}
