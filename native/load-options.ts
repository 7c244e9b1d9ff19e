/** @module The options of a load: their defaults and limits, and the form in which the addon takes them. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { nativeAxes, sizes } from './axes.ts';
import { BATCHING_MODES, type NativeLoadOptions, type NativePixels, POLICIES } from './binding.ts';
import { nativeDevice } from './devices.ts';
import { MillraceError } from './errors.ts';
import { real, whole } from './option-checks.ts';
import type { BatchingOptions, LoadOptions, PixelInput } from './types.ts';

const DEFAULT_MAX_ROWS = 64;
const MAX_ROWS = 1 << 20;
const DEFAULT_MAX_QUEUE = 1024;
const MAX_QUEUE = 1 << 16;
const PRIORITIES = 256;
const DEFAULT_MAX_REQUEST_ROWS = 65_536;
const DEFAULT_WARMUP_MS = 200;
/**
 * The longest expected run that the JavaScript thread makes itself, in microseconds. It is about what it costs
 * to wake an instance and then the event loop, which the benchmark `boundary` measures: a longer run would
 * block the thread for more time than it saves.
 */
const INLINE_LIMIT_US = 50;

/** @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it is and what it may be. */
export function toNative(options: LoadOptions): NativeLoadOptions {
  const { path, bytes, batching = {} } = options;
  if ((path === undefined) === (bytes === undefined)) {
    throw new MillraceError('INVALID_ARGUMENT', 'load needs exactly one of path and bytes');
  }
  if (path === undefined ? !(bytes instanceof Uint8Array) : typeof path !== 'string') {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      'load needs path as a string or bytes as a Uint8Array',
    );
  }
  const given = batching === false ? {} : batching;
  const policy = given.policy ?? (given.maxDelayMs === undefined ? 'excess' : 'timer');
  if (!Object.hasOwn(POLICIES, policy)) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `batching.policy is ${policy}: expected excess, busy or timer`,
    );
  }
  return {
    key: '',
    digest: '',
    copyFolder: options.cacheDir === undefined ? '' : resolve(options.cacheDir),
    ...nativeDevice(options),
    ...(path === undefined ? {} : { path: resolve(path) }),
    ...(bytes === undefined ? {} : { bytes }),
    batching: batchingMode(options),
    ...rowSizes(given),
    axes: nativeAxes(given.axes),
    maxElements: whole('batching.maxElements', given.maxElements, 0, 1, 2 ** 31),
    maxRequestRows: whole(
      'batching.maxRequestRows',
      given.maxRequestRows,
      DEFAULT_MAX_REQUEST_ROWS,
      1,
      2 ** 31,
    ),
    policy: POLICIES[policy],
    maxDelayMs: real('batching.maxDelayMs', given.maxDelayMs, 0, 0, 60_000),
    maxQueue: whole('batching.maxQueue', given.maxQueue, DEFAULT_MAX_QUEUE, 1, MAX_QUEUE),
    maxQueueByPriority: queueByPriority(given.maxQueueByPriority),
    instances: whole('instances', options.instances, 0, 1, 64),
    intraOpThreads: whole('intraOpThreads', options.intraOpThreads, 0, 1, 256),
    weight: real('weight', options.weight, 1, 0.001, 1000),
    runLimitMs: real('runLimitMs', options.runLimitMs, 0, 1, 86_400_000),
    inlineLimitUs: options.inline === false ? 0 : INLINE_LIMIT_US,
    dimensions: Object.entries(options.dimensions ?? {}).map(([name, size]) => ({
      name,
      size: whole(`dimensions.${name}`, size, 1, 1, 2 ** 31),
    })),
    pixels: Object.entries(options.inputs ?? {}).map(([input, form]) => pixels(input, form)),
    warmupMs: real('warmupMs', options.warmupMs, DEFAULT_WARMUP_MS, 0, 600_000),
    // With two cores, an instance that spins would take its core from the HTTP threads.
    spinUs: availableParallelism() > 2 ? 20 : 0,
  };
}

function pixels(input: string, form: PixelInput): NativePixels {
  const { from, mean, std, scale = 1 / 255, reverse = false, either = false } = form;
  const numbers = [mean, std].every((list) => Array.isArray(list) && list.every(Number.isFinite));
  if (from !== 'uint8-hwc' || !numbers || !Number.isFinite(scale)) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `inputs.${input} needs from: 'uint8-hwc', mean and std, a number for each channel`,
    );
  }
  return {
    input,
    scale,
    reverse: reverse ? 1 : 0,
    either: either ? 1 : 0,
    mean: Float32Array.from(mean),
    std: Float32Array.from(std),
  };
}

function batchingMode({ batching }: LoadOptions): number {
  if (batching === false) return BATCHING_MODES.off;
  const declared = batching?.maxRows !== undefined || batching?.rowBuckets !== undefined;
  return declared ? BATCHING_MODES.declared : BATCHING_MODES.auto;
}

function queueByPriority(limits: readonly number[] = []): readonly number[] {
  if (!Array.isArray(limits) || limits.length > PRIORITIES) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `batching.maxQueueByPriority needs at most ${PRIORITIES} numbers in a list`,
    );
  }
  return limits.map((most, priority) =>
    whole(`batching.maxQueueByPriority[${priority}]`, most, 0, 0, MAX_QUEUE),
  );
}

function rowSizes({ maxRows, autoMaxRows, rowBuckets }: BatchingOptions) {
  const fallback = whole('batching.autoMaxRows', autoMaxRows, DEFAULT_MAX_ROWS, 1, MAX_ROWS);
  const most = whole('batching.maxRows', maxRows, fallback, 1, MAX_ROWS);
  if (rowBuckets === undefined) return { maxRows: most, rowBuckets: [] };
  const all = sizes('batching.rowBuckets', rowBuckets, MAX_ROWS);
  const largest = all.at(-1)!;
  if (maxRows === undefined || maxRows === largest) return { maxRows: largest, rowBuckets: all };
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `batching.maxRows is ${maxRows}, but the largest of batching.rowBuckets is ${largest}: leave maxRows out`,
  );
}
