/**
 * Compares responses as JSON: the native codec, which writes the shortest decimals of float32, and JavaScript.
 *
 * @module
 */
import { openCodec } from '../../native/codec.ts';
import { createProgress } from '../lib/progress.ts';
import { seeded } from '../lib/random.ts';
import { summarise } from '../lib/stats.ts';
import { figure, table } from '../lib/table.ts';
import type { Plan, SuiteResult } from './types.ts';

const LENGTHS = [768, 150_528] as const;
/** The length that the target is about. */
const JUDGED = 768;
/** The total of numbers in all arrays. Several arrays take turns, because a processor would learn the branches of one. */
const NUMBERS = 150_528;
/** How often a repeat alternates between the two. */
const TURNS = 20;

interface CodecRow {
  readonly length: number;
  readonly repeat: number;
  readonly nativeUs: number;
  readonly scriptUs: number;
  readonly nativeBytes: number;
  readonly scriptBytes: number;
}

type Encode = (data: Float32Array) => { readonly length: number };

export async function codec(plan: Plan): Promise<SuiteResult> {
  const { encodeInferResponse } = openCodec();
  const native: Encode = (data) =>
    encodeInferResponse({
      modelName: 'm',
      outputs: [{ name: 'y', tensor: { type: 'float32', dims: [1, data.length], data } }],
    }).body;
  const script: Encode = (data) =>
    JSON.stringify({
      model_name: 'm',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, data.length], data: Array.from(data) }],
    });
  const steps = plan.repeats * LENGTHS.length;
  const progress = createProgress(steps, plan.log, () => performance.now());
  const rows: CodecRow[] = [];
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    for (const length of LENGTHS) {
      const row = { length, repeat, ...measure(arrays(length), native, script, plan.seconds) };
      rows.push(row);
      progress.step(`codec ${length} floats: ${figure(row.scriptUs / row.nativeUs)} times as fast`);
    }
  }
  const judged = rows.filter((row) => row.length === JUDGED);
  const about = (aim: string, of: (row: CodecRow) => number) => ({
    ...{ target: 'T15', aim, of: '' },
    outcome: { values: judged.map(of) },
  });
  return {
    name: 'codec',
    data: rows,
    text: `Responses of floats as JSON\n${codecTable(rows)}`,
    gates: [],
    figures: [
      about('speed', (row) => row.scriptUs / row.nativeUs),
      about('bytes', (row) => row.nativeBytes / row.scriptBytes),
    ],
  };
}

/** Numbers in [-1, 1), in arrays of this length. */
function arrays(length: number): Float32Array[] {
  return Array.from({ length: NUMBERS / length }, (_, seed) => {
    const uniform = seeded(seed);
    return Float32Array.from({ length }, () => uniform() * 2 - 1);
  });
}

function measure(inputs: readonly Float32Array[], native: Encode, script: Encode, seconds: number) {
  const turnMs = (seconds * 1000) / 6 / TURNS;
  const took = { native: [] as number[], script: [] as number[] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    took.native.push(turnUs(inputs, native, turnMs));
    took.script.push(turnUs(inputs, script, turnMs));
  }
  const bytes = (encode: Encode) => inputs.reduce((sum, data) => sum + encode(data).length, 0);
  return {
    nativeUs: summarise(took.native).median,
    scriptUs: summarise(took.script).median,
    nativeBytes: bytes(native) / inputs.length,
    scriptBytes: bytes(script) / inputs.length,
  };
}

/** The duration of a call, µs, measured over a turn. */
function turnUs(inputs: readonly Float32Array[], encode: Encode, milliseconds: number): number {
  const began = performance.now();
  let calls = 0;
  let elapsed = 0;
  for (; elapsed < milliseconds; elapsed = performance.now() - began) {
    encode(inputs[calls % inputs.length]!);
    calls += 1;
  }
  return (elapsed * 1000) / calls;
}

function codecTable(rows: readonly CodecRow[]): string {
  const header = ['floats', 'native µs', 'JSON.stringify µs', 'native bytes', 'script bytes'];
  const lines = LENGTHS.map((length) => {
    const own = rows.filter((row) => row.length === length);
    const median = (of: (row: CodecRow) => number) => figure(summarise(own.map(of)).median);
    return [
      String(length),
      median((row) => row.nativeUs),
      median((row) => row.scriptUs),
      median((row) => row.nativeBytes),
      median((row) => row.scriptBytes),
    ];
  });
  return table(header, lines);
}
