/**
 * The engine's public contract: what `native/index.ts` implements over the addon and what `runtime/`
 * depends on.
 *
 * @module
 */

import type { Codec } from './codec-types.ts';
import type { Histogram, LoadOptions, Model } from './types.ts';

export interface EngineInfo {
  /** Version of the ONNX Runtime library that was loaded, such as `1.30.0`. */
  readonly onnxRuntimeVersion: string;
  readonly library: string;
  /** Providers compiled into the library; only loading a model proves that one works. */
  readonly providers: readonly string[];
}

export interface EngineOptions {
  /** ONNX Runtime shared library. Default: the one in the npm package `onnxruntime-node`. */
  library?: string;
  /** The addon's file, from the working directory if relative. Default: the one built in this checkout. */
  addon?: string;
  /**
   * JavaScript threads of this process that will use the engine. Models' instances get the other cores, at
   * least one. Counts when the process opens its first engine. Default 1.
   */
  threads?: number;
}

export interface Engine {
  readonly info: EngineInfo;
  /** Loads off the JavaScript thread. The same bytes and options loaded twice share one session. */
  load(options: LoadOptions): Promise<Model>;
  /** Native counters shared by every thread of the process. */
  readonly counters: Counters;
  /** Tensors to and from JSON and the bodies of the Open Inference Protocol. */
  readonly codec: Codec;
  close(): Promise<void>;
}

/**
 * Process-wide counters and histograms that any thread bumps and any thread reads, so that a scrape
 * is right with any number of HTTP threads. A series is created once and addressed by its number.
 */
export interface Counters {
  /**
   * Finds or makes the histogram series of this key, `bounds` in seconds ascending. Without bounds it is a
   * counter.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT`, or `RESOURCE_EXHAUSTED` at the 4,097th series.
   */
  series(key: string, bounds: readonly number[]): number;
  /** Records one observation, in seconds. Lock-free. */
  observe(series: number, seconds: number): void;
  /**
   * Adds a whole number, which may be negative, to the count of a series that was made without bounds: a
   * counter, or a gauge that every thread moves by its own share. Lock-free.
   */
  add(series: number, amount: number): void;
  /** Every series of the process with its key, for the metrics page. */
  snapshot(): readonly { readonly key: string; readonly histogram: Histogram }[];
}
