/** @module How much memory a process has. */

import { readFileSync } from 'node:fs';

/** The resident memory of a process, bytes; 0 if it has ended, or the system does not tell. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
