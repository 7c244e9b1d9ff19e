/** @module Measured costs, kept between processes. */

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MillraceError } from './errors.ts';
import type { CostPoint } from './types.ts';

/** What a cost file holds: the costs of one model, on one device, under one set of options. */
interface CostFile {
  readonly key: string;
  readonly costs: readonly CostPoint[];
}

/** Where a folder keeps the costs of `key`. */
export function costFileIn(folder: string, key: string): string {
  const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
  return join(folder, 'costs', `${name}.json`);
}

/**
 * The costs in `file` if they are for `key`. A missing, foreign or damaged file is no costs; `notice`
 * is told of a damaged one.
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
    notice(`The cost file ${file} is damaged and left aside: costs are measured anew`);
    return [];
  }
}

/**
 * Writes the file whole or not at all.
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
