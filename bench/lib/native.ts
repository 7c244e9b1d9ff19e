/**
 * Runs the native contenders of one model, one at a time.
 *
 * @module
 */
import type { NativeContender, NativeResult, NativeRun } from '../contenders/types.ts';
import { Child, jsonLine } from './child.ts';

/** Runs a native contender. @throws if the program fails, which includes wrong outputs. */
export async function runNative(contender: NativeContender, run: NativeRun): Promise<NativeResult> {
  await using child = await Child.start(contender.command(run));
  const result = await child.line(jsonLine<NativeResult>('items_per_second'));
  await child.finished();
  return result;
}

/** The batch size at which the raw loop is fastest: a power of two, or the model's maximum batch. */
export async function bestBatch(raw: NativeContender, run: NativeRun): Promise<number> {
  let best = { width: 1, rate: 0 };
  for (const width of batchSizes(run.model.maxRows)) {
    const { items_per_second: rate } = await runNative(raw, { ...run, width });
    if (rate > best.rate) best = { width, rate };
  }
  return best.width;
}

/** 1, 2, 4 … and the maximum batch itself. */
export function batchSizes(cap: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < cap; size *= 2) sizes.push(size);
  return [...sizes, cap];
}
