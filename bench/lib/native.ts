/**
 * The native contenders of one model, run one at a time.
 *
 * @module
 */
import type { NativeContender, NativeResult, NativeRun } from '../contenders/types.ts';
import { Child, jsonLine } from './child.ts';

/** @throws when the program fails, which it does if an output is wrong. */
export async function runNative(contender: NativeContender, run: NativeRun): Promise<NativeResult> {
  await using child = await Child.start(contender.command(run));
  const result = await child.line(jsonLine<NativeResult>('items_per_second'));
  await child.finished();
  return result;
}

/** The number of rows in a run, a power of two up to the model's cap, at which the raw loop is fastest. */
export async function bestBatch(raw: NativeContender, run: NativeRun): Promise<number> {
  let best = { width: 1, rate: 0 };
  for (const width of batchSizes(run.model.maxRows)) {
    const { items_per_second: rate } = await runNative(raw, { ...run, width });
    if (rate > best.rate) best = { width, rate };
  }
  return best.width;
}

/** 1, 2, 4 … and the cap itself. */
export function batchSizes(cap: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < cap; size *= 2) sizes.push(size);
  return [...sizes, cap];
}
