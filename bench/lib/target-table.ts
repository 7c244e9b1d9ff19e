/**
 * Targets are figures that the project wants to reach, with their measurements. A target that must be reached is also a
 * gate.
 *
 * @module
 */
import {
  type Gate,
  type GateResult,
  judgeOutcome,
  limitText,
  type Outcome,
  rangeText,
} from './gates.ts';
import { figure, table } from './table.ts';

type Limit = Pick<Gate, 'bound' | 'limit' | 'unit'>;

export interface Aim extends Limit {
  /** The limit without which the run fails; often weaker than the aim. */
  readonly gate?: number;
}

interface MeasuredTarget {
  readonly id: string;
  readonly title: string;
  /** The theoretical optimum, as text. */
  readonly physical: string;
  /** The suite that measures it. */
  readonly suite: string;
  /** The aims by name; the name of a single aim is ''. */
  readonly aims: Readonly<Record<string, Aim>>;
}

interface UnmeasuredTarget {
  readonly id: string;
  readonly title: string;
  /** The reason if no suite measures it. */
  readonly elsewhere: string;
}

export type Target = MeasuredTarget | UnmeasuredTarget;

/** A figure of an aim: its value in each repeat, or the reason why it is missing. */
export interface Figure {
  readonly target: string;
  /** Key of the target's `aims`. */
  readonly aim: string;
  /** The conditions of the measurement, such as `fixed-cost, C=4`. */
  readonly of: string;
  readonly outcome: Outcome;
}

/** A judged figure; it has no limit if no suite measures the target. */
export interface TargetResult extends Omit<GateResult, 'bound' | 'limit'>, Partial<Limit> {
  readonly id: string;
  readonly title: string;
  readonly physical: string;
}

function measuredTarget(targets: readonly Target[], id: string): MeasuredTarget {
  const target = targets.find((one) => one.id === id);
  if (target === undefined || 'elsewhere' in target) throw new Error(`No suite measures ${id}`);
  return target;
}

function aimOf(target: MeasuredTarget, name: string): Aim {
  const aim = target.aims[name];
  if (aim === undefined) throw new Error(`${target.id} has no aim '${name}'`);
  return aim;
}

const joined = (parts: readonly string[]) => parts.filter((part) => part !== '').join(', ');

function gate(name: string, { bound, unit }: Aim, limit: number): Gate {
  return { name, bound, limit, ...(unit === undefined ? {} : { unit }) };
}

/** Judges the figures whose aim is also a gate, by the gate. */
export function gatesOf(targets: readonly Target[], figures: readonly Figure[]): GateResult[] {
  return figures.flatMap(({ target: id, aim: name, of, outcome }) => {
    const target = measuredTarget(targets, id);
    const aim = aimOf(target, name);
    if (aim.gate === undefined) return [];
    const title = joined([`${id} ${target.title}`, name, of]);
    return [judgeOutcome(gate(title, aim, aim.gate), outcome)];
  });
}

/**
 * Judges every target in order, each figure by its aim.
 *
 * @param ran The suites that ran.
 */
export function judgeTargets(
  targets: readonly Target[],
  figures: readonly Figure[],
  ran: readonly string[],
): TargetResult[] {
  return targets.flatMap((target): TargetResult[] => {
    const { id, title } = target;
    if ('elsewhere' in target) {
      const reason = `not measured: ${target.elsewhere}`;
      return [{ id, title, physical: '', name: '', verdict: 'VOID', reason }];
    }
    const { physical, suite, aims } = target;
    return Object.entries(aims).flatMap(([name, aim]) => {
      const found = figures.filter((one) => one.target === id && one.aim === name);
      const reason = ran.includes(suite)
        ? 'not measured with these options'
        : `not measured: the suite ${suite} did not run`;
      const measured = found.length > 0 ? found : [{ of: '', outcome: { void: reason } }];
      return measured.map(({ of, outcome }) => ({
        id,
        title,
        physical,
        ...judgeOutcome(gate(joined([name, of]), aim, aim.limit), outcome),
      }));
    });
  });
}

function aimText({ bound, limit, unit }: TargetResult): string {
  if (bound === undefined || limit === undefined) return '';
  return limitText({ bound, limit, ...(unit === undefined ? {} : { unit }) });
}

/** The table has a line for each target, and a line below it for each figure if there are several. */
export function targetTable(results: readonly TargetResult[]): string {
  const ids = [...new Set(results.map(({ id }) => id))];
  const rows = ids.flatMap((id) => {
    const own = results.filter((one) => one.id === id);
    const { title, physical } = own[0]!;
    const cells = (result: TargetResult) => [
      aimText(result),
      result.measured === undefined ? '' : figure(result.measured.median),
      result.measured === undefined ? '' : rangeText(result.measured),
      result.verdict,
    ];
    const [only] = own;
    if (own.length === 1 && only !== undefined) {
      return [[joined([`${id} ${title}`, only.name]), physical, ...cells(only)]];
    }
    const head = [`${id} ${title}`, physical];
    return [head, ...own.map((result) => [`    ${result.name}`, '', ...cells(result)])];
  });
  const header = ['target', 'limit', 'aim', 'median', 'range', 'verdict'];
  return ['Targets', table(header, rows), ...reasonLines(results)].join('\n');
}

/** The reasons of verdicts that are not a pass; targets with the same reason share a line. */
function reasonLines(results: readonly TargetResult[]): string[] {
  const lines = new Map<string, Set<string>>();
  for (const { id, name, verdict, reason } of results) {
    if (reason === undefined) continue;
    // A target that was not measured has no separate figures.
    const subject = verdict === 'VOID' ? id : joined([id, name]);
    const key = JSON.stringify([verdict, reason]);
    lines.set(key, (lines.get(key) ?? new Set()).add(subject));
  }
  return [...lines].map(([key, subjects]) => {
    const [verdict, reason] = JSON.parse(key) as string[];
    return `${verdict}  ${[...subjects].join('; ')}: ${reason}`;
  });
}
