/**
 * The ratios that the throughput suite is judged by, as data.
 *
 * @module
 */
import { failed, type Gate, type GateResult, judge, voided } from '../../lib/gates.ts';
import { additiveLimit, summarise } from '../../lib/stats.ts';
import type { Row } from './row.ts';

/** Requests in flight of a saturation figure. */
const MANY = 64;
/** A saturation figure counts only if the busiest thread of every server in it was this busy. */
const SATURATED = 0.95;

/** Requests or items a second of a contender in one repeat. */
type Rate = (contender: string) => number;

interface Ratio {
  readonly name: string;
  /** Requests in flight. */
  readonly at: number;
  readonly needs: readonly string[];
  value(rate: Rate): number;
  /** What it must reach, by model; a model that is not named is not judged. */
  readonly limits: Readonly<Record<string, number>>;
}

export const ratios: readonly Ratio[] = [
  {
    name: 'edge floor ÷ bare floor',
    at: MANY,
    needs: ['edge-floor', 'bare-floor'],
    value: (rate) => rate('edge-floor') / rate('bare-floor'),
    limits: { tiny: 0.9, small: 0.9, large: 0.9 },
  },
  {
    name: 'ours ÷ additive limit',
    at: MANY,
    needs: ['ours', 'bare-floor', 'raw'],
    value: (rate) => rate('ours') / additiveLimit(rate('bare-floor'), rate('raw')),
    limits: { tiny: 0.9, small: 0.9, large: 0.9 },
  },
  {
    name: 'native driver ÷ raw',
    at: MANY,
    needs: ['native-driver', 'raw'],
    value: (rate) => rate('native-driver') / rate('raw'),
    limits: { small: 0.95, large: 0.95 },
  },
  {
    name: 'ours ÷ onnxruntime-node',
    at: MANY,
    needs: ['ours', 'onnxruntime-node'],
    value: (rate) => rate('ours') / rate('onnxruntime-node'),
    limits: { tiny: 1.9, small: 2.5, large: 2.5 },
  },
  {
    name: 'ours ÷ onnxruntime-node',
    at: 1,
    needs: ['ours', 'onnxruntime-node'],
    value: (rate) => rate('ours') / rate('onnxruntime-node'),
    limits: { tiny: 0.9, small: 0.9, large: 0.9 },
  },
];

/** Judges every ratio that has a limit for a model among the rows. */
export function judgeRatios(rows: readonly Row[]): GateResult[] {
  const models = [...new Set(rows.map((row) => row.model))];
  return ratios.flatMap((ratio) =>
    models.flatMap((model) => {
      const limit = ratio.limits[model];
      if (limit === undefined) return [];
      const name = `${ratio.name}, ${model}, C=${ratio.at}`;
      const own = rows.filter((row) => row.model === model && isPart(ratio, row));
      return [judgeRatio(ratio, { name, bound: 'at least', limit }, own)];
    }),
  );
}

/** The raw loop has no requests in flight: its width is the batch. */
function isPart(ratio: Ratio, row: Row): boolean {
  const { contender, width } = row;
  return ratio.needs.includes(contender) && (contender === 'raw' || width === ratio.at);
}

function judgeRatio(ratio: Ratio, gate: Gate, rows: readonly Row[]): GateResult {
  const missing = ratio.needs.find((need) => !rows.some((row) => row.contender === need));
  if (missing) return voided(gate, `${missing} was not measured`);
  const broken = rows.find((row) => row.failure);
  if (broken) return failed(gate, `${broken.contender}: ${broken.failure}`);
  const idle = ratio.at === MANY ? unsaturated(rows) : undefined;
  return idle ? voided(gate, idle) : judge(gate, summarise(perRepeat(ratio, rows)));
}

/** The ratio in each repeat: contenders are compared with what was measured beside them. */
function perRepeat(ratio: Ratio, rows: readonly Row[]): number[] {
  const repeats = new Set(rows.map((row) => row.repeat));
  return [...repeats].map((repeat) =>
    ratio.value(
      (name) => rows.find((row) => row.contender === name && row.repeat === repeat)!.perSecond,
    ),
  );
}

/** A sentence about the first server that had time to spare, or undefined. */
function unsaturated(rows: readonly Row[]): string | undefined {
  for (const contender of new Set(rows.map((row) => row.contender))) {
    const busy = rows.flatMap((row) =>
      row.contender === contender && row.http ? [row.http.busiest.busy] : [],
    );
    if (busy.length === 0) continue;
    const { median } = summarise(busy);
    if (median < SATURATED) {
      return `the busiest thread of ${contender} was only ${median.toFixed(2)} busy: the driver is the limit`;
    }
  }
  return undefined;
}
