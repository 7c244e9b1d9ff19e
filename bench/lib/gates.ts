/**
 * Gates compare a measured summary with the figure that it must reach.
 *
 * @module
 */
import { type Summary, summarise } from './stats.ts';
import { figure, table } from './table.ts';

export interface Gate {
  /** The name of the measured figure, such as `edge floor ÷ bare floor, tiny, C=64`. */
  readonly name: string;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly unit?: string;
}

export type Verdict = 'PASS' | 'FAIL' | 'UNSURE' | 'VOID';

export interface GateResult extends Gate {
  readonly verdict: Verdict;
  readonly measured?: Summary;
  /** The reason if the verdict is not a pass. */
  readonly reason?: string;
}

/**
 * PASS and FAIL need every repeat on the same side of the limit. If there are repeats on both sides, the spread is larger
 * than the margin and the verdict is UNSURE.
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

/** Creates a gate whose figure was not measured, or was measured under invalid conditions. */
export function voided(gate: Gate, reason: string): GateResult {
  return { ...gate, verdict: 'VOID', reason };
}

/** Creates a gate whose measurement failed. */
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

/** Formats a limit as `≥ 0.9` or `≤ 1 ms`. */
export function limitText({ bound, limit, unit }: Omit<Gate, 'name'>): string {
  return `${bound === 'at least' ? '≥' : '≤'} ${figure(limit)}${unit === undefined ? '' : ` ${unit}`}`;
}

export function rangeText({ min, max }: Summary): string {
  return `${figure(min)} – ${figure(max)}`;
}

/** The table of all gates, one per line, with the reason of each that is not a pass. */
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
