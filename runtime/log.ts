/** @module JSON lines on standard output. */

import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** No transports: they start threads, and a line must be out before the process is. */
export function createLog(level: string, destination?: DestinationStream): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
