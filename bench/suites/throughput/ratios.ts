/**
 * The ratios by which the throughput suite is judged, as data.
 *
 * @module
 */
import { type GateResult, judgeOutcome, type Outcome } from '../../lib/gates.ts';
import { MANY, outcomeOf, type Ratio } from '../../lib/ratio.ts';
import type { Row } from '../../lib/row.ts';
import { additiveLimit } from '../../lib/stats.ts';
import type { Figure } from '../../lib/target-table.ts';

interface JudgedRatio extends Ratio {
  /** The limit by model; other models are not judged. */
  readonly limits: Readonly<Record<string, number>>;
  /** Its target, with the key of the aim by model. */
  readonly target?: { readonly id: string; readonly aims: Readonly<Record<string, string>> };
}

export const ratios: readonly JudgedRatio[] = [
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
    target: { id: 'T2', aims: { tiny: '', small: '', large: '' } },
  },
  {
    name: 'native driver ÷ raw',
    at: MANY,
    needs: ['native-driver', 'raw'],
    value: (rate) => rate('native-driver') / rate('raw'),
    limits: { small: 0.95, large: 0.95 },
    // The aim applies to models of at least 50 µs per item.
    target: { id: 'T1', aims: { large: '' } },
  },
  {
    name: 'ours ÷ onnxruntime-node',
    at: MANY,
    needs: ['ours', 'onnxruntime-node'],
    value: (rate) => rate('ours') / rate('onnxruntime-node'),
    limits: { tiny: 1.9, small: 2.5, large: 2.5 },
    target: { id: 'T9', aims: { tiny: 'tiny', small: 'small', large: 'large' } },
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
  return modelsOf(rows).flatMap((model) =>
    ratios.flatMap((ratio) => {
      const limit = ratio.limits[model];
      if (limit === undefined) return [];
      const name = `${ratio.name}, ${model}, C=${ratio.at}`;
      return [
        judgeOutcome({ name, bound: 'at least', limit }, outcomeOf(ratio, ofModel(rows, model))),
      ];
    }),
  );
}

/** The figures of the targets. */
export function targetFigures(rows: readonly Row[]): Figure[] {
  return modelsOf(rows).flatMap((model) => [
    ...ratios.flatMap((ratio) => {
      const aim = ratio.target?.aims[model];
      if (ratio.target === undefined || aim === undefined) return [];
      const of = aim === model ? '' : model;
      return [
        { target: ratio.target.id, aim, of, outcome: outcomeOf(ratio, ofModel(rows, model)) },
      ];
    }),
    ...idleLatency(model, rows),
  ]);
}

const ofModel = (rows: readonly Row[], model: string) => rows.filter((row) => row.model === model);

const modelsOf = (rows: readonly Row[]) => [...new Set(rows.map((row) => row.model))];

/** The latency of a single request without that of the floor, in runs of one row, for models of at least 5 ms. */
function idleLatency(model: string, rows: readonly Row[]): Figure[] {
  if (model !== 'large') return [];
  const own = rows.filter(
    ({ model: of, contender, width }) =>
      of === model && width === 1 && ['ours', 'bare-floor', 'raw-one'].includes(contender),
  );
  const found = (contender: string, repeat: number) =>
    own.find((row) => row.contender === contender && row.repeat === repeat);
  const broken = own.find((row) => row.failure);
  const about = (outcome: Outcome): Figure[] => [{ target: 'T3', aim: '', of: model, outcome }];
  if (broken) return about({ failed: `${broken.contender}: ${broken.failure}` });
  const repeats = new Set(own.map((row) => row.repeat));
  const values = [...repeats].flatMap((repeat) => {
    const ours = found('ours', repeat)?.http;
    const floor = found('bare-floor', repeat)?.http;
    const run = found('raw-one', repeat)?.perSecond;
    if (!ours || !floor || run === undefined) return [];
    return [((ours.p50Ms - floor.p50Ms) * run) / 1000];
  });
  const none = 'it needs ours, bare-floor and raw, and a single connection';
  return about(values.length > 0 ? { values } : { void: none });
}
