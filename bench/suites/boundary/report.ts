/** @module The table of the boundary suite and the figures of its targets. */
import type { Outcome } from '../../lib/gates.ts';
import { summarise } from '../../lib/stats.ts';
import { figure, table } from '../../lib/table.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { CopyFigures } from './copies.ts';
import type { LayerFigures } from './layers.ts';

/** The costs of a layer, alone or with all layers above it, µs. */
export interface LayerCost {
  /** Latency of a single request. */
  readonly idleUs: number;
  /** CPU time per request with many in flight. */
  readonly manyCpuUs: number;
}

/** The measurements of one repeat. */
export interface BoundaryRow {
  readonly repeat: number;
  /** Runs with one row, and with the fastest batch size. */
  readonly raw: LayerCost;
  /** C++ calls through the batcher. */
  readonly batcher: LayerCost;
  readonly addon: LayerFigures;
  readonly floor: LayerCost;
  readonly service: LayerCost;
  readonly copies: CopyFigures;
  /** The reason if the HTTP part is invalid. */
  readonly failure?: string;
}

type Of = (row: BoundaryRow) => number;

const layers: readonly (readonly [name: string, idle: Of, many: Of | undefined])[] = [
  ['raw ONNX Runtime loop', (row) => row.raw.idleUs, (row) => row.raw.manyCpuUs],
  ['C++ through the batcher', (row) => row.batcher.idleUs, (row) => row.batcher.manyCpuUs],
  ['addon from JavaScript, inline', (row) => row.addon.inline.p50Us, undefined],
  [
    'addon from JavaScript, through an instance',
    (row) => row.addon.instance.p50Us,
    (row) => row.addon.manyCpuUs,
  ],
  ['HTTP floor, no model', (row) => row.floor.idleUs, (row) => row.floor.manyCpuUs],
  ['service, HTTP with JSON', (row) => row.service.idleUs, (row) => row.service.manyCpuUs],
];

export function boundaryTable(rows: readonly BoundaryRow[]): string {
  const median = (of: Of | undefined) => (of ? figure(summarise(rows.map(of)).median) : '');
  const lines = layers.map(([name, idle, many]) => [name, median(idle), median(many)]);
  const wakes = `Waking an instance: ${median((row) => row.addon.futexWakeUs)} µs, waking the event loop: ${median((row) => row.addon.loopWakeUs)} µs`;
  const added = `Added to a lone run: inline ${median((row) => row.addon.inline.addedP50Us)} µs, through an instance ${median((row) => row.addon.instance.addedP50Us)} µs, by the service ${median(serviceAdds)} µs`;
  const crossing = `Crossing, CPU time: ${median(crossingUs)} µs; the call and the await alone ${median((row) => row.addon.standInCpuUs)} µs`;
  const copies = `Copies of a request of 588 KiB: ${median((row) => row.copies.copied)}, transferred ${median((row) => row.copies.transferred)}, of the V2 protocol ${median((row) => row.copies.parsed)}`;
  const header = ['layer', 'idle p50 µs', 'CPU µs, C=64'];
  return [table(header, lines), wakes, added, crossing, copies].join('\n');
}

/** The latency of a single request without HTTP and the run, µs. */
const serviceAdds: Of = ({ service, floor, raw }) => service.idleUs - floor.idleUs - raw.idleUs;

/** The cost of calls into the addon and of the way to an instance and back, without the batcher and the caller, µs. */
const crossingUs: Of = ({ addon, batcher }) =>
  addon.manyCpuUs - addon.standInCpuUs - batcher.manyCpuUs;

export function boundaryFigures(rows: readonly BoundaryRow[]): Figure[] {
  const values = (of: Of): Outcome => ({ values: rows.map(of) });
  const failure = rows.find((row) => row.failure)?.failure;
  const http = (of: Of): Outcome => (failure ? { failed: failure } : values(of));
  const wakes: Of = ({ addon }) => addon.futexWakeUs + addon.loopWakeUs;
  const instance: Of = (row) => row.addon.instance.addedP50Us / wakes(row);
  const crossing: Of = (row) => crossingUs(row) / row.floor.manyCpuUs;
  return [
    {
      target: 'T4',
      aim: 'through an instance ÷ (futex wake + loop wake)',
      of: 'tiny',
      outcome: values(instance),
    },
    { target: 'T4', aim: 'inline', of: 'tiny, service', outcome: http(serviceAdds) },
    {
      target: 'T13',
      aim: 'transferred',
      of: '588 KiB',
      outcome: values(({ copies }) => copies.transferred),
    },
    {
      target: 'T13',
      aim: 'of the V2 protocol',
      of: '588 KiB',
      outcome: values(({ copies }) => copies.parsed),
    },
    { target: 'T13', aim: 'copied', of: '588 KiB', outcome: values(({ copies }) => copies.copied) },
    { target: 'T14', aim: '', of: 'tiny', outcome: http(crossing) },
  ];
}
