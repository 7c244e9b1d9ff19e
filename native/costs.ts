/** @module Files that keep measured costs between processes. */

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MillraceError } from './errors.ts';
import type { CostPoint } from './types.ts';

/** The content of a cost file: the costs of one model, on one device, with one set of options. */
interface CostFile {
  readonly key: string;
  readonly costs: readonly CostPoint[];
}

/** Returns the path of the cost file for `key` below a cache folder. */
export function costFileIn(folder: string, key: string): string {
  const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
  return join(folder, 'costs', `${name}.json`);
}

/**
 * Reads the costs in `file`. Returns an empty list if the file is missing, damaged or for another key; calls
 * `notice` if it is damaged.
 */
export async function readCosts(
  file: string,
  key: string,
  notice: (sentence: string) => void,
): Promise<readonly CostPoint[]> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  try {
    const content = JSON.parse(text) as CostFile;
    return content.key === key ? content.costs.filter(isMeasured) : [];
  } catch {
    notice(`The cost file ${file} is damaged and is not used: costs are measured anew`);
    return [];
  }
}

/**
 * Replaces the file atomically, so that a reader never sees half of it.
 *
 * @throws {MillraceError} `FAILED_PRECONDITION` where it cannot be written.
 */
export async function writeCosts(
  file: string,
  key: string,
  costs: readonly CostPoint[],
): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(draft, `${JSON.stringify({ key, costs } satisfies CostFile, null, 2)}\n`);
    await rename(draft, file);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {});
    throw new MillraceError(
      'FAILED_PRECONDITION',
      `Cannot write the cost file ${file}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

const isMeasured = ({ rows, meanMs, highMs, lengths }: CostPoint) =>
  [rows, meanMs, highMs].every((value) => Number.isFinite(value) && value > 0) &&
  highMs >= meanMs &&
  (lengths === undefined || (typeof lengths === 'object' && lengths !== null));
