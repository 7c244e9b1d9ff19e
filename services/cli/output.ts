/** @module What the commands print: JSON, tables, and progress on a terminal. */

import process from 'node:process';
import Table from 'cli-table3';
import { onTerminal } from '../../runtime/index.ts';

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** What a reader should know besides the output. */
export const warn = (text: string): void => void process.stderr.write(`${text}\n`);

export const sayJson = (value: unknown): void => say(JSON.stringify(value, null, 2));

/** Prints a value as JSON with `--json`, and otherwise as text. */
export function print<Value>(
  { json }: { readonly json?: boolean },
  value: Value,
  text: (value: Value) => string,
): void {
  if (json) sayJson(value);
  else say(text(value));
}

type Cell = string | number | boolean | null | undefined;

/** A table with a border on a terminal; otherwise one line a row with tabs between the cells, for `cut` and `awk`. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell ?? '').toString()));
  if (!onTerminal()) return [head, ...cells].map((row) => row.join('\t')).join('\n');
  const drawn = new Table({ head: [...head], style: { head: [], border: [] } });
  drawn.push(...cells);
  return drawn.toString();
}

/** The members of an object, one on each line. */
export function fields(value: object): string {
  const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries
    .map(([name, each]) => {
      const shown = typeof each === 'object' ? JSON.stringify(each) : String(each);
      return `${name.padEnd(width)}  ${shown}`;
    })
    .join('\n');
}

/** Shows how much of a long piece of work is done. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** A progress bar on the error stream if that is a terminal, otherwise nothing. */
export async function progress(label: string, total: number): Promise<Progress> {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  const { SingleBar, Presets } = await import('cli-progress');
  const format = `${label} {bar} {percentage}% {value}/{total}`;
  const bar = new SingleBar({ format, stream: process.stderr }, Presets.shades_classic);
  bar.start(total, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
