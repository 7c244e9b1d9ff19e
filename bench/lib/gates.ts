/**
 * Gates: a measured summary against the figure it must reach.
 *
 * @module
 */
import type { Summary } from './stats.ts';
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

/** All gates, one a line, with the reason where one is no plain pass. */
export function gateTable(gates: readonly GateResult[]): string {
  const rows = gates.map((gate) => [
    gate.name,
    `${gate.bound === 'at least' ? '≥' : '≤'} ${figure(gate.limit)}${gate.unit ? ` ${gate.unit}` : ''}`,
    gate.measured ? figure(gate.measured.median) : '',
    gate.measured ? `${figure(gate.measured.min)} – ${figure(gate.measured.max)}` : '',
    gate.verdict,
  ]);
  const reasons = gates
    .filter((gate) => gate.reason)
    .map((gate) => `${gate.verdict}  ${gate.name}: ${gate.reason}`);
  return [table(['gate', 'limit', 'median', 'range', 'verdict'], rows), ...reasons].join('\n');
}
