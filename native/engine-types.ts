/**
 * The public contract of the engine, which `native/index.ts` implements with the addon and on which `runtime/`
 * depends.
 *
 * @module
 */

import type { Codec } from './codec-types.ts';
import type { GenerativeModel, GeneratorOptions } from './generation-types.ts';
import type { Images } from './image-types.ts';
import type { ElementType } from './tensor-types.ts';
import type { Histogram, LoadOptions, Model, TensorSpec } from './types.ts';

export interface EngineInfo {
  /** The version of the loaded ONNX Runtime library, such as `1.30.0`. */
  readonly onnxRuntimeVersion: string;
  /** The path of the library. */
  readonly library: string;
  /** The execution providers that are compiled into the library; only loading a model proves that one works. */
  readonly providers: readonly string[];
}

export interface EngineOptions {
  /** The path of the ONNX Runtime library. Default: the one in the npm package `onnxruntime-node`. */
  library?: string;
  /** The path of the addon, relative to the working directory. Default: the one that is built in this checkout. */
  addon?: string;
  /**
   * How many JavaScript threads of this process will open an engine. The instances of models get the other cores,
   * at least one, or all if their rows take 1 ms or more. Only the first engine of the process reads it. Default: 1.
   */
  threads?: number;
}

/**
 * An input or output as a model's file declares it. A session may know more, because it computes sizes that the file leaves
 * open; if the file does not tell the shape at all, `dims` is empty. `type` is '' for what is no tensor.
 */
export interface FileTensor extends Omit<TensorSpec, 'type' | 'labels'> {
  readonly type: ElementType | '';
}

/** What a model's file says about it. */
export interface ModelFile {
  /** As `Model.digest`. */
  readonly digest: string;
  /** In the order of the file, without inputs whose values are in it. */
  readonly inputs: readonly FileTensor[];
  readonly outputs: readonly FileTensor[];
  /** What exporters have written about the model, such as names of classes. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The object that loads models, for one JavaScript thread. */
export interface Engine {
  readonly info: EngineInfo;
  /**
   * Loads a model on another thread. Loads of the same bytes with the same options share one session.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT` if an option is wrong or the file is not a model,
   * `NOT_FOUND` if there is no file, `RESOURCE_EXHAUSTED` if memory or threads run out, `UNAVAILABLE`
   * if its files are changed meanwhile, and `FAILED_PRECONDITION` if the device cannot be used or the engine is
   * closed.
   */
  load(options: LoadOptions): Promise<Model>;
  /**
   * Loads a generative model on another thread. Loads of the same files with the same options share one decoder and one
   * generator.
   *
   * @throws {MillraceError} (as a rejection) as `load`; `INVALID_ARGUMENT` also if the files are not those of a decoder
   * with a cache of keys and values, with the name of the input or output that is missing.
   */
  loadGenerator(options: GeneratorOptions): Promise<GenerativeModel>;
  /**
   * Reads the file of a model on another thread, without loading it. What it read is kept until the file changes, so that a
   * load of the same file does not read it again.
   *
   * @returns What the file says, which is nothing if it is not a model: to load it tells why.
   * @throws {MillraceError} (as a rejection) `NOT_FOUND` if there is no file, `INVALID_ARGUMENT` if external data that it
   * names are missing, and `FAILED_PRECONDITION` if the engine is closed.
   */
  inspect(path: string): Promise<ModelFile>;
  /** Native counters that all threads of the process share. */
  readonly counters: Counters;
  /** Converts requests and responses of the Open Inference Protocol. */
  readonly codec: Codec;
  /** Functions on images, which need no model. */
  readonly images: Images;
  /** Closes all models of this engine, and then the engine. Idempotent. */
  close(): Promise<void>;
}

/**
 * Counters and histograms of the process, which all threads increment and read, so that a scrape is right with
 * any number of HTTP threads. A series is created once and then addressed by its number.
 */
export interface Counters {
  /**
   * Returns the number of the series of this key, which it creates if there is none. `bounds` are the upper bounds
   * of a histogram's cells in seconds, ascending; without bounds the series is a counter.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT` for wrong arguments, `RESOURCE_EXHAUSTED` for more than 4,096 series.
   */
  series(key: string, bounds: readonly number[]): number;
  /** Records one observation, in seconds. Lock-free. */
  observe(series: number, seconds: number): void;
  /**
   * Adds a whole number, which may be negative, to a series without bounds, which is a counter or a gauge of which
   * every thread counts its own share. Lock-free.
   */
  add(series: number, amount: number): void;
  /** Returns all series of the process with their keys. */
  snapshot(): readonly { readonly key: string; readonly histogram: Histogram }[];
}
