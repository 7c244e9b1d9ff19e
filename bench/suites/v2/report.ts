/** @module The figures and verdicts of the protocol suite. */
import { rateTable } from '../../lib/rate-table.ts';
import { outcomeOf } from '../../lib/ratio.ts';
import type { Row } from '../../lib/row.ts';
import type { Figure } from '../../lib/target-table.ts';
import type { V2Case } from './cases.ts';

export function v2Tables(cases: readonly V2Case[], rows: readonly Row[]): string {
  return cases.map(({ name, title }) => `${title}\n${rateTable(rowsOf(name, rows))}`).join('\n\n');
}

export function v2Figures(cases: readonly V2Case[], rows: readonly Row[]): Figure[] {
  return cases.flatMap(({ name, judged }) =>
    judged.map(({ target, aim, ratio }) => {
      const outcome = outcomeOf(ratio, rowsOf(name, rows));
      return { target, aim, of: '', outcome };
    }),
  );
}

const rowsOf = (name: string, rows: readonly Row[]) => rows.filter(({ model }) => model === name);
