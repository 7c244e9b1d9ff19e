/** @module Measured costs, kept between processes. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CostPoint } from './types.ts';

/** What a cost file holds: the costs of one model, on one device, under one set of options. */
interface CostFile {
  readonly key: string;
  readonly costs: readonly CostPoint[];
}

/** The costs in `file` if they are for `key`. A missing, foreign or damaged file is no costs. */
export async function readCosts(file: string, key: string): Promise<readonly CostPoint[]> {
  try {
    const content = JSON.parse(await readFile(file, 'utf8')) as CostFile;
    return content.key === key && Array.isArray(content.costs) ? content.costs : [];
  } catch {
    return [];
  }
}

/** Writes the file whole or not at all. */
export async function writeCosts(
  file: string,
  key: string,
  costs: readonly CostPoint[],
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, `${JSON.stringify({ key, costs } satisfies CostFile, null, 2)}\n`);
  await rename(draft, file);
}
