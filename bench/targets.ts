/** @module The targets of the project as data, for the last table of a run. */
import type { Target } from './lib/target-table.ts';

const GPU = 'needs a GPU: `npm run bench:gpu`';
const SOAK = 'takes half an hour or more: `npm run soak`';

export const targets: readonly Target[] = [
  {
    id: 'T1',
    title: 'our batcher without HTTP ÷ raw loop at its best batch, C=64',
    physical: '1',
    suite: 'throughput',
    aims: { '': { bound: 'at least', limit: 0.95 } },
  },
  {
    id: 'T2',
    title: 'service ÷ additive limit, C=64',
    physical: '1',
    suite: 'throughput',
    aims: { '': { bound: 'at least', limit: 0.93 } },
  },
  {
    id: 'T3',
    title: 'idle p50 of the service less that of the floor ÷ a run of one row',
    physical: '1',
    suite: 'throughput',
    aims: { '': { bound: 'at most', limit: 1.05 } },
  },
  {
    id: 'T4',
    title: 'idle latency added to a run of one row',
    physical: '0',
    suite: 'boundary',
    aims: {
      'through an instance ÷ (futex wake + loop wake)': { bound: 'at most', limit: 2 },
      inline: { bound: 'at most', limit: 15, unit: 'µs' },
    },
  },
  {
    id: 'T5',
    title: 'idle p50 ÷ that with a delay timer',
    physical: '–',
    suite: 'policy',
    aims: {
      '1 ms': { bound: 'at most', limit: 0.7, gate: 0.7 },
      '5 ms': { bound: 'at most', limit: 0.31, gate: 0.31 },
    },
  },
  {
    id: 'T6',
    title: 'closed loop ÷ plain batching while busy',
    physical: '2',
    suite: 'policy',
    aims: {
      throughput: { bound: 'at least', limit: 1.4, gate: 1.4 },
      p99: { bound: 'at most', limit: 1.05 },
    },
  },
  {
    id: 'T7',
    title: 'mean latency of Poisson traffic ÷ that of plain batching while busy',
    physical: '1',
    suite: 'policy',
    aims: { '': { bound: 'at most', limit: 1.01, gate: 1.01 } },
  },
  {
    id: 'T8',
    title: 'responses in time at overload ÷ capacity',
    physical: '1',
    suite: 'open-loop',
    aims: { '': { bound: 'at least', limit: 0.97, gate: 0.9 } },
  },
  {
    id: 'T9',
    title: 'service ÷ onnxruntime-node in a handler, throughput, C=64',
    physical: '–',
    suite: 'throughput',
    aims: {
      tiny: { bound: 'at least', limit: 1.9 },
      small: { bound: 'at least', limit: 2.5 },
      large: { bound: 'at least', limit: 2.5 },
    },
  },
  {
    id: 'T10',
    title: 'longest block of the JavaScript thread, 16 concurrent runs',
    physical: '0',
    suite: 'block',
    aims: {
      'CPU time': { bound: 'at most', limit: 1, unit: 'ms' },
      'wall clock ÷ onnxruntime-node': { bound: 'at most', limit: 0.1 },
    },
  },
  {
    id: 'T11',
    title: '50 runs a second on two threads ÷ ONNX Runtime’s default, which spins',
    physical: '–',
    suite: 'threads',
    aims: {
      'CPU time': { bound: 'at most', limit: 0.125 },
      'p50 of a run': { bound: 'at most', limit: 1.6 },
    },
  },
  {
    id: 'T12',
    title: 'two instances on one session ÷ two sessions',
    physical: '–',
    suite: 'threads',
    aims: {
      throughput: { bound: 'at least', limit: 1.3 },
      memory: { bound: 'at most', limit: 0.6 },
    },
  },
  {
    id: 'T13',
    title: 'bytes copied for each byte of a request, before ONNX Runtime',
    physical: '1',
    suite: 'boundary',
    aims: {
      transferred: { bound: 'at most', limit: 1 },
      'of the V2 protocol': { bound: 'at most', limit: 1 },
      copied: { bound: 'at most', limit: 2 },
    },
  },
  {
    id: 'T14',
    title: 'CPU time of crossing between JavaScript and an instance ÷ that of the HTTP floor, C=64',
    physical: '0',
    suite: 'boundary',
    aims: { '': { bound: 'at most', limit: 0.05 } },
  },
  {
    id: 'T15',
    title: '768 floats as JSON ÷ JSON.stringify(Array.from())',
    physical: '–',
    suite: 'codec',
    aims: {
      speed: { bound: 'at least', limit: 3, gate: 3 },
      bytes: { bound: 'at most', limit: 0.6, gate: 0.6 },
    },
  },
  {
    id: 'T16',
    title: 'two HTTP threads, connections 61 to 39: p99 of the worse thread ÷ the better',
    physical: '1',
    suite: 'threads',
    aims: { '': { bound: 'at most', limit: 1.2 } },
  },
  { id: 'T17', title: 'soak: throughput of the last minute ÷ the first', elsewhere: SOAK },
  { id: 'T18', title: 'memory after 1,000,000 mixed requests ÷ after warm-up', elsewhere: SOAK },
  { id: 'T19', title: 'GPU: an unseen batch size ÷ a seen one', elsewhere: GPU },
  { id: 'T20', title: 'GPU: throughput ÷ a bare loop on the same engine', elsewhere: GPU },
  { id: 'T21', title: 'scaling from 1 to 4 HTTP threads', elsewhere: 'needs 8 cores or more' },
  {
    id: 'T22',
    title: '588 KiB in binary through V2 ÷ a route that only reads the body, C=64',
    physical: '1',
    suite: 'v2',
    aims: { '': { bound: 'at least', limit: 0.9, gate: 0.9 } },
  },
  {
    id: 'T23',
    title:
      '768 numbers as JSON through V2 ÷ the same route with JSON.parse and JSON.stringify, C=64',
    physical: '–',
    suite: 'v2',
    aims: { '': { bound: 'at least', limit: 2, gate: 2 } },
  },
  {
    id: 'T24',
    title: 'one row as JSON through V2 ÷ through /predict, CPU time of the server',
    physical: '1',
    suite: 'v2',
    aims: {
      'C=1': { bound: 'at most', limit: 1.25, gate: 1.25 },
      'C=64': { bound: 'at most', limit: 1.25, gate: 1.25 },
    },
  },
  {
    id: 'T25',
    title: 'one row as JSON through V2 ÷ onnxruntime-node in a handler, throughput',
    physical: '–',
    suite: 'v2',
    aims: {
      'C=1': { bound: 'at least', limit: 1, gate: 1 },
      'C=8': { bound: 'at least', limit: 1, gate: 1 },
      'C=64': { bound: 'at least', limit: 1, gate: 1 },
    },
  },
  {
    id: 'T26',
    title: 'one row through a sticky split ÷ without a route, CPU time of the server',
    physical: '1',
    suite: 'platform',
    aims: {
      'C=1': { bound: 'at most', limit: 1.02 },
      'C=64': { bound: 'at most', limit: 1.02 },
    },
  },
  {
    id: 'T27',
    title: 'one row whose response is cached ÷ a bare Hono route, CPU time of the server',
    physical: '1',
    suite: 'platform',
    aims: {
      'C=1': { bound: 'at most', limit: 1.3 },
      'C=64': { bound: 'at most', limit: 1.3 },
    },
  },
];
