/** @module Reports of the checker, as text and as JUnit XML. */

import type { Result } from './index.ts';

const MARKS = { passed: '✔', failed: '✖', skipped: '–' } as const;

/** One line for each case, and a second line if it did not pass. */
export function resultLine({ id, title, outcome, reason }: Result): string {
  const line = `${MARKS[outcome]} ${id}  ${title}`;
  return reason === '' ? line : `${line}\n    ${reason}`;
}

export function summary(results: readonly Result[]): string {
  const count = (outcome: Result['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

/** The results as a JUnit report, which every CI system reads. */
export function junit(results: readonly Result[]): string {
  const failures = results.filter(({ outcome }) => outcome === 'failed').length;
  const skipped = results.filter(({ outcome }) => outcome === 'skipped').length;
  const seconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  const lines = results.map(({ id, title, profile, outcome, reason, ms }) => {
    const inner =
      outcome === 'passed'
        ? ''
        : outcome === 'failed'
          ? `<failure message="${escaped(reason)}"/>`
          : `<skipped message="${escaped(reason)}"/>`;
    return `  <testcase classname="conform.${profile}" name="${escaped(`${id}: ${title}`)}" time="${(ms / 1000).toFixed(3)}">${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="conform" tests="${results.length}" failures="${failures}" skipped="${skipped}" time="${seconds.toFixed(3)}">`,
    ...lines,
    '</testsuite>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('"', '&quot;')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML does not allow control characters
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '·')
  );
}
