/** @module The figures and verdicts of the protocol suite. */
import { rateTable } from '../../lib/rate-table.ts';
import { outcomeOf } from '../../lib/ratio.ts';
import type { Row } from '../../lib/row.ts';
import type { Figure } from '../../lib/target-table.ts';
import { cases } from './cases.ts';

export function v2Tables(rows: readonly Row[]): string {
  return cases.map(({ name, title }) => `${title}\n${rateTable(rowsOf(name, rows))}`).join('\n\n');
}

export function v2Figures(rows: readonly Row[]): Figure[] {
  return cases.map(({ name, target, judged }) => ({
    target,
    aim: '',
    of: '',
    outcome: outcomeOf(judged, rowsOf(name, rows)),
  }));
}

const rowsOf = (name: string, rows: readonly Row[]) => rows.filter(({ model }) => model === name);
