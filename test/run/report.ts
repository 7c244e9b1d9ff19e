/** @module Prints a block when a suite has ended, a heartbeat, and the totals in the last line. */
import type { Case, Outcome } from './junit.ts';
import type { Result } from './suite.ts';

const outputLines = 500;

export type Say = (line: string) => void;

const count = (cases: readonly Case[], outcome: Outcome) =>
  cases.filter((entry) => entry.outcome === outcome).length;

export const failuresOf = (cases: readonly Case[]): number => count(cases, 'failed');

/** The counts of a suite, or of the whole run in its last line. */
export const totalOf = (cases: readonly Case[]): string =>
  `${count(cases, 'passed')} passed, ${count(cases, 'failed')} failed, ${count(cases, 'skipped')} skipped`;

export const seconds = (value: number): string => `${value.toFixed(1)} s`;

/** The time that a suite took, or that it did not run. */
export const costOf = ({ cpuSeconds, unchanged }: Omit<Result, 'output'>): string =>
  unchanged ? 'not repeated: nothing that it uses has changed' : `${seconds(cpuSeconds)} of CPU`;

/** Merges the results of the parts of a suite, in the order of the parts. */
export const mergeResults = (parts: readonly Result[]): Result => ({
  cases: parts.flatMap(({ cases }) => cases),
  output: parts
    .filter(({ cases }) => failuresOf(cases) > 0)
    .map(({ output }) => output)
    .join(''),
  cpuSeconds: parts.reduce((sum, part) => sum + part.cpuSeconds, 0),
  unchanged: parts.every(({ unchanged }) => unchanged === true),
});

/** The text of a suite: its output if a test failed, the failures, and the reasons of skips. */
export function blockOf(label: string, { cases, output }: Result): string[] {
  const failed = cases.filter(({ outcome }) => outcome === 'failed');
  const lines = failed.length > 0 ? output.trimEnd().split('\n') : [];
  return [
    label,
    ...(lines.length > outputLines ? [`  (the last ${outputLines} of ${lines.length} lines)`] : []),
    ...lines.slice(-outputLines),
    ...failed.map(({ name }) => `  failed: ${name}`),
    ...cases
      .filter(({ outcome }) => outcome === 'skipped')
      .map(({ name, reason }) => `  skipped: ${name} (${reason || 'no reason was given'})`),
  ];
}

/** Prints the running jobs every 15 s. */
export class Heartbeat {
  readonly #running = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(say: Say) {
    this.#timer = setInterval(() => say(this.line()), 15_000);
  }

  line(now = performance.now()): string {
    const running = [...this.#running].map(
      ([name, since]) => `${name} (${seconds((now - since) / 1000)})`,
    );
    return `… at work: ${running.join(', ')}`;
  }

  /** Calls `work`, and lists it as running until it has ended. */
  async during<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#running.set(name, performance.now());
    try {
      return await work();
    } finally {
      this.#running.delete(name);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
