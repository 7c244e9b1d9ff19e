/** @module Names of temporary files that tell which process writes them, so that those of a dead one can be removed. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import process from 'node:process';

/** After this time without a new entry a writer is taken for dead, also one on another machine. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** A name that nobody else has, for something that this process writes. */
export const ownName = (): string => `${process.pid}-${randomUUID()}-${hostname()}`;

/**
 * Whether the process that chose a name has ended.
 *
 * @param name What `ownName` returned.
 * @param modified When it last wrote, in milliseconds since 1970.
 */
export function isAbandoned(name: string, modified: number): boolean {
  const [, pid, host] = /^(\d+)-[0-9a-f-]{36}-(.*)$/.exec(name) ?? [];
  if (Date.now() - modified > ABANDONED_MS) return true;
  if (host !== hostname()) return false;
  // In a container the process that replaces another one usually has the same number.
  if (Number(pid) === process.pid) return modified < Date.now() - process.uptime() * 1000;
  return !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
