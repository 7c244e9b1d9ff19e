/** @module The log on standard output: JSON lines for programs, and on a terminal lines for people. */

import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

const STDOUT = 1;

/** Whether a person reads the output. */
export const onTerminal = (): boolean => isatty(STDOUT);

/** Uses no transports: they start threads, and a line must be written before the process ends. */
export function createLog(level: string, destination?: DestinationStream): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination ?? (onTerminal() ? terminal : pino.destination({ fd: STDOUT, sync: true })),
  );
}

const terminal: DestinationStream = {
  write: (line) => void writeSync(STDOUT, `${readableLine(line)}\n`),
};

/** A line of the log as a person reads it: `16:03:09 WARN  skipped  name=docs reason=…`. */
export function readableLine(json: string): string {
  const { level, time, msg = '', err, ...rest } = JSON.parse(json);
  const clock = String(time).slice(11, 19);
  const label = (pino.levels.labels[level] ?? '').toUpperCase().padEnd(5);
  const fields = Object.entries(rest)
    .filter(([, value]) => value !== '' && value !== undefined)
    .map(([key, value]) => `  ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const stack = err?.stack === undefined ? '' : `\n${err.stack}`;
  return `${clock} ${label} ${msg}${fields.join('')}${stack}`;
}
