/** @module What happens to a request between its decoding and its encoding, in order. */

import type { RunOptions, RunResult, Tensor, Timings } from '../native/index.ts';
import { fromEngine, ServeError } from './errors.ts';
import type { ModelVersion } from './model.ts';
import type { Registry } from './registry.ts';
import { featureTensors } from './signature.ts';
import type { Prediction, TaskHead } from './tasks/index.ts';
import { joinTimings } from './timings.ts';

/** The part of an `AbortSignal` that the engine uses, which is all a caller has to give. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** One request's question. The caller holds a permit. */
export interface InferRequest {
  /** Model's name; undefined means the default one. */
  readonly model: string | undefined;
  /** Version or label; undefined leaves it to the traffic split. */
  readonly version: string | undefined;
  /** One row of values, or many rows. Unchecked. */
  readonly features: readonly unknown[];
  /** Time left until the deadline, milliseconds; undefined means none. */
  readonly timeoutMs: number | undefined;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: CancelSignal | undefined;
}

/** One request's answer, in row order. */
export interface InferResult {
  readonly model: string;
  readonly version: string;
  readonly predictions: readonly Prediction[];
  readonly timings: Timings;
  /** Most rows of a batch of this version. */
  readonly maxRows: number;
}

/**
 * Resolve → check → run → record. The only wait is for the native work.
 *
 * @throws {ServeError} for whatever goes wrong; nothing else leaves it.
 */
export async function infer(registry: Registry, request: InferRequest): Promise<InferResult> {
  const version = registry.resolve(request.model, request.version);
  if (version.rows instanceof ServeError) throw version.rows;
  const { input, head } = version.rows;
  const { tensors } = featureTensors(input, request.features);

  version.hold();
  try {
    const options = runOptions(request, head);
    const [first] = tensors;
    if (tensors.length === 1) {
      return record(version, head, [await version.run({ [input.name]: first! }, options)]);
    }
    const runs = tensors.map((tensor) => version.run({ [input.name]: tensor }, options));
    return record(version, head, await Promise.all(runs));
  } catch (error) {
    throw fromEngine(error);
  } finally {
    version.release();
  }
}

function runOptions(request: InferRequest, head: TaskHead): RunOptions {
  const options: RunOptions = { outputs: head.outputs };
  if (request.signal !== undefined) options.signal = request.signal as AbortSignal;
  if (request.timeoutMs !== undefined) options.timeoutMs = request.timeoutMs;
  return options;
}

function record(version: ModelVersion, head: TaskHead, results: readonly RunResult[]): InferResult {
  const predictions: Prediction[] = [];
  for (const result of results) head.read(result.outputs[head.output] as Tensor, predictions);
  return {
    model: version.model,
    version: version.version,
    predictions,
    timings:
      results.length === 1
        ? results[0]!.timings
        : joinTimings(results.map((result) => result.timings)),
    maxRows: version.signature.batching.maxRows,
  };
}
