/**
 * Gates: a measured summary against the figure it must reach.
 *
 * @module
 */
import { type Summary, summarise } from './stats.ts';
import { figure, table } from './table.ts';

export interface Gate {
  /** What is measured, such as `edge floor ÷ bare floor, tiny, C=64`. */
  readonly name: string;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly unit?: string;
}

export type Verdict = 'PASS' | 'FAIL' | 'UNSURE' | 'VOID';

export interface GateResult extends Gate {
  readonly verdict: Verdict;
  readonly measured?: Summary;
  /** Why the verdict is not a plain pass. */
  readonly reason?: string;
}

/**
 * PASS and FAIL need every repeat on the same side of the limit. When repeats fall on both sides
 * the spread is larger than the margin, and the figure proves nothing either way: UNSURE.
 */
export function judge(gate: Gate, measured: Summary): GateResult {
  const good = (value: number) =>
    gate.bound === 'at least' ? value >= gate.limit : value <= gate.limit;
  const [low, high] = [good(measured.min), good(measured.max)];
  if (low && high) return { ...gate, measured, verdict: 'PASS' };
  if (!low && !high) return { ...gate, measured, verdict: 'FAIL' };
  const side = good(measured.median) ? 'passes' : 'fails';
  return {
    ...gate,
    measured,
    verdict: 'UNSURE',
    reason: `the median ${side}, but repeats lie on both sides of the limit`,
  };
}

/** A gate whose figure was not measured, or was measured under conditions that do not count. */
export function voided(gate: Gate, reason: string): GateResult {
  return { ...gate, verdict: 'VOID', reason };
}

/** A gate whose figure rests on a measurement that broke. */
export function failed(gate: Gate, reason: string): GateResult {
  return { ...gate, verdict: 'FAIL', reason };
}

/** The measurement of one figure: its value in each repeat, or the reason why it is missing. */
export type Outcome =
  | { readonly values: readonly number[] }
  | { readonly void: string }
  | { readonly failed: string };

export function judgeOutcome(gate: Gate, outcome: Outcome): GateResult {
  if ('void' in outcome) return voided(gate, outcome.void);
  if ('failed' in outcome) return failed(gate, outcome.failed);
  return judge(gate, summarise(outcome.values));
}

/** `≥ 0.9`, `≤ 1 ms`. */
export function limitText({ bound, limit, unit }: Omit<Gate, 'name'>): string {
  return `${bound === 'at least' ? '≥' : '≤'} ${figure(limit)}${unit === undefined ? '' : ` ${unit}`}`;
}

export function rangeText({ min, max }: Summary): string {
  return `${figure(min)} – ${figure(max)}`;
}

/** All gates, one a line, with the reason where one is no plain pass. */
export function gateTable(gates: readonly GateResult[]): string {
  const rows = gates.map((gate) => [
    gate.name,
    limitText(gate),
    gate.measured ? figure(gate.measured.median) : '',
    gate.measured ? rangeText(gate.measured) : '',
    gate.verdict,
  ]);
  const reasons = gates
    .filter((gate) => gate.reason)
    .map((gate) => `${gate.verdict}  ${gate.name}: ${gate.reason}`);
  return [table(['gate', 'limit', 'median', 'range', 'verdict'], rows), ...reasons].join('\n');
}
