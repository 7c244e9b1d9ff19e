/** @module What happens to a request between its decoding and its encoding, in order. */

import type { RunOptions, Tensor, Tensors, Timings } from '../native/index.ts';
import { fromEngine, ServeError } from './errors.ts';
import type { ModelVersion } from './model.ts';
import type { Registry } from './registry.ts';
import { allowedTimeout } from './repository/index.ts';
import { featureTensors } from './signature.ts';
import type { Prediction, TaskHead } from './tasks/index.ts';
import { joinTimings } from './timings.ts';

/** The part of an `AbortSignal` that one run uses, which is all a caller has to give. */
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

/** One request's tensors. The caller holds a permit. */
export interface TensorRequest {
  readonly model: string;
  /** Version or label; undefined leaves it to the traffic split. */
  readonly version: string | undefined;
  /** Taken over: large ones are not copied, and gone afterwards. The engine checks them. */
  readonly inputs: Tensors;
  /** Names of the outputs wanted; undefined means all. */
  readonly outputs: readonly string[] | undefined;
  /** 1 is the most urgent level, 0 or undefined the model's default one. */
  readonly priority: number | undefined;
  /** How long the request wants to wait, milliseconds: the model's queue policy has the last word on that. */
  readonly queueTimeoutMs?: number | undefined;
  /** Time left until the client's deadline, milliseconds; undefined means none. */
  readonly timeoutMs: number | undefined;
  readonly signal: CancelSignal | undefined;
}

/** Its answer. */
export interface TensorResult {
  readonly version: ModelVersion;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly timings: Timings;
  /** Most rows of a batch of this version. */
  readonly maxRows: number;
}

/**
 * Resolve → run, for whoever brings tensors.
 *
 * @throws {ServeError} for whatever goes wrong; nothing else leaves it.
 */
export async function inferTensors(
  registry: Registry,
  request: TensorRequest,
): Promise<TensorResult> {
  const version = registry.resolve(request.model, request.version);
  const { maxRows } = version.signature.batching;
  const level = version.level(request.priority);
  const outputs = request.outputs ?? version.outputs;
  const timeoutMs = timeoutOf(version, level, request);
  const options: RunOptions = { transfer: 'later', priority: Math.max(level - 1, 0) };
  if (outputs !== undefined) options.outputs = outputs;
  if (timeoutMs !== undefined) options.timeoutMs = timeoutMs;
  if (request.signal !== undefined) options.signal = request.signal as AbortSignal;

  version.hold();
  try {
    const result = await version.run(request.inputs, options);
    return { version, outputs: result.outputs, timings: result.timings, maxRows };
  } catch (error) {
    throw fromEngine(error);
  } finally {
    version.release();
  }
}

/** What the queue policy allows, and never longer than the client's deadline. */
function timeoutOf(
  version: ModelVersion,
  level: number,
  { queueTimeoutMs, timeoutMs }: TensorRequest,
): number | undefined {
  const allowed = allowedTimeout(version.settings.queue, level, queueTimeoutMs);
  if (allowed === undefined || timeoutMs === undefined) return allowed ?? timeoutMs;
  return Math.min(allowed, timeoutMs);
}

/**
 * Resolve → check → run → record. The only wait is for the native work.
 *
 * @throws {ServeError} for whatever goes wrong; nothing else leaves it.
 */
export async function infer(registry: Registry, request: InferRequest): Promise<InferResult> {
  const version = registry.resolve(request.model, request.version);
  const { rows } = version;
  if (rows instanceof ServeError) throw rows;
  const { input, head } = rows;
  const tensors = featureTensors(input, request.features);
  const options = runOptions(request, head, isList(tensors));

  version.hold();
  try {
    if (!isList(tensors)) {
      const { outputs, timings } = await version.run({ [input.name]: tensors }, options);
      return answer(version, head.read(outputs[head.output]!), timings);
    }
    const runs = tensors.map((tensor) => version.run({ [input.name]: tensor }, options));
    const results = await Promise.all(runs);
    const predictions = results.flatMap(({ outputs }) => head.read(outputs[head.output]!));
    return answer(version, predictions, joinTimings(results.map(({ timings }) => timings)));
  } catch (error) {
    throw fromEngine(error);
  } finally {
    version.release();
  }
}

function isList(tensors: Tensor | readonly Tensor[]): tensors is readonly Tensor[] {
  return Array.isArray(tensors);
}

function runOptions(request: InferRequest, head: TaskHead, several: boolean): RunOptions {
  const options: RunOptions = { outputs: head.outputs };
  const { signal } = request;
  if (signal !== undefined) options.signal = several ? shared(signal) : (signal as AbortSignal);
  if (request.timeoutMs !== undefined) options.timeoutMs = request.timeoutMs;
  return options;
}

/** A real signal, which several runs can listen to. */
function shared(signal: CancelSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort);
  return controller.signal;
}

function answer(
  version: ModelVersion,
  predictions: readonly Prediction[],
  timings: Timings,
): InferResult {
  return {
    model: version.model,
    version: version.version,
    predictions,
    timings,
    maxRows: version.signature.batching.maxRows,
  };
}
