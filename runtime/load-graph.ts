/** @module Loads the graph of a version on its device, with the options that its configuration sets. */

import type { BatchingOptions, Engine, LoadOptions, Model } from '../native/index.ts';
import { batchingOptions } from './batching.ts';
import { redact } from './errors.ts';
import type { VersionMedia } from './model.ts';
import { omitUndefined } from './omit-undefined.ts';
import type { ModelConfig } from './repository/index.ts';
import type { MediaTaskName } from './tasks/index.ts';
import type { VersionSource } from './version-source.ts';

/** A graph with what is known about its texts or images. */
export interface Loaded {
  readonly native: Model;
  readonly media: VersionMedia | undefined;
  readonly notes: readonly string[];
}

/** A graph that only `/v2` serves, although its task is one on texts or images. @param obstacle As in `VersionMedia`. */
export const obstructed = (
  native: Model,
  task: MediaTaskName,
  obstacle: string,
  notes: readonly string[],
): Loaded => ({
  native,
  media: { task, obstacle, example: undefined },
  notes: [...notes, obstacle],
});

/** What a load does that the configuration of the version does not say. */
export interface GraphOptions {
  /** Is in effect for what the key `batching` of `model.json` does not declare. */
  readonly automatic?: BatchingOptions | undefined;
  readonly inputs?: LoadOptions['inputs'];
  readonly dimensions?: LoadOptions['dimensions'];
}

/**
 * @param automatic What is not declared is as here.
 * @param cap Is meant for every model, so it does not declare that rows may be batched.
 */
function batchingOf(
  declared: ModelConfig['batching'],
  automatic: BatchingOptions | undefined,
  cap: number | undefined,
): BatchingOptions | false | undefined {
  const own = declared === undefined ? undefined : batchingOptions(declared);
  if (own === false) return false;
  const batching = automatic === undefined ? own : { ...automatic, ...own };
  if (cap === undefined || (own?.maxRows ?? own?.rowBuckets) !== undefined) return batching;
  return { ...batching, autoMaxRows: cap };
}

/** Where a graph runs, and what it is called. */
export function placeOf({ model, version, config, settings }: VersionSource) {
  const providerOptions = { ...settings.providerOptions, ...config.provider_options };
  return {
    name: `${model}:${version}`,
    providerOptions: Object.keys(providerOptions).length === 0 ? undefined : providerOptions,
    deviceOptions: config.device_options,
    intraOpThreads: config.intra_op_threads,
    runLimitMs: config.run_limit_ms,
    weight: config.weight,
  };
}

/** @throws {MillraceError} as `Engine.load` does. */
export async function loadGraph(
  engine: Engine,
  source: VersionSource,
  { automatic, inputs, dimensions }: GraphOptions = {},
): Promise<Model> {
  const { device } = source;
  const options: LoadOptions = omitUndefined({
    ...(source.bytes === undefined ? { path: source.path } : { bytes: source.bytes }),
    ...placeOf(source),
    device,
    // Only TensorRT has engines to cache.
    engineCache: device.startsWith('tensorrt') ? source.engineCache : undefined,
    batching: batchingOf(source.config.batching, automatic, source.batchSize),
    instances: source.config.instances,
    ...{ inputs, dimensions },
    notice: source.notice,
  });
  return engine.load(options);
}

/** Why something could not be loaded, as a sentence. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? redact(error.message) : 'it cannot be loaded';
