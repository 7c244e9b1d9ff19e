/** @module Names of temporary files that tell which process writes them, so that those of a dead one can be removed. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import process from 'node:process';
import { startOfProcess } from '../host/index.ts';

/** After this time without a new entry a writer is taken for dead, also one on another machine. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** A name that nobody else has, for something that this process writes. */
export const ownName = (): string =>
  `${process.pid}.${startOfProcess(process.pid)}-${randomUUID()}-${hostname()}`;

/** Matches the names of `ownName`: the number and the start of the process, and the host. */
const NAME = /^(\d+)\.(\d+)-[0-9a-f-]{36}-(.*)$/;

/**
 * Whether the process that chose a name has ended.
 *
 * @param name What `ownName` returned.
 * @param modified When it last wrote, in milliseconds since 1970.
 */
export function isAbandoned(name: string, modified: number): boolean {
  const [, pid, start, host] = NAME.exec(name) ?? [];
  if (Date.now() - modified > ABANDONED_MS) return true;
  // In a container the process that replaces another one usually has the same number.
  return host === hostname() && startOfProcess(Number(pid)) !== start;
}
