/**
 * The public contract of models. That of the engine, which loads models, is in `engine-types.ts`, that of runs in
 * `run-types.ts`, and that of tensors in `tensor-types.ts`. A fake engine for tests implements the same interfaces.
 *
 * @module
 */

import type { DeviceOptions, DeviceReport } from './device-types.ts';
import type { RunOptions, RunResult } from './run-types.ts';
import type { ElementType, Tensors } from './tensor-types.ts';

/**
 * One input or output of a model. A dynamic dimension is -1. `symbols` has the name of each dimension in the file,
 * or '' if it has none.
 */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly symbols: readonly string[];
  /**
   * The names of the classes, in order, of an output of probabilities. It is set if the file has a map from class
   * to probability (the operator ZipMap), which is replaced by a tensor of the probabilities.
   */
  readonly labels?: readonly string[];
}

/**
 * How requests to a model are batched. It changes at most once: when the outputs of a request that ran alone
 * have another number of rows than its inputs, requests are not batched any more.
 */
export interface BatchingState {
  readonly enabled: boolean;
  /** The most rows in a batch; 1 if requests are not batched. */
  readonly maxRows: number;
  /** A sentence if requests are not batched, or less than was declared; otherwise ''. */
  readonly reason: string;
  /**
   * The lengths that requests are padded to along each declared axis. Undefined if no axis is declared, and if
   * padding would change the outputs: then only requests of equal lengths share a batch.
   */
  readonly axes?: Readonly<Record<string, readonly number[]>>;
}

/** The inputs and outputs of a model, in the order of its file. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batching: BatchingState;
}

/** An element that fills padding: a number, or what the type of the input needs. */
export type PadValue = number | bigint | boolean | string;

/**
 * An axis whose length changes from request to request, such as the tokens of a text. A request is padded to the
 * smallest bucket that holds it, shares batches with others of that bucket, and gets outputs of its own length.
 */
export interface AxisOptions {
  /** The lengths that are run. A request longer than the largest is refused. */
  buckets: readonly number[];
  /** The value that inputs are padded with, or one for each input by name. Default: 0, `false` or ''. */
  pad?: PadValue | Readonly<Record<string, PadValue>>;
  /**
   * The name of the input that is 1 for elements of the request and 0 for padding. If a request leaves it out,
   * it is made; otherwise it is padded with 0.
   */
  mask?: string;
  /** Dimensions of this length to which the file gives another name or none, such as `logits:1`. */
  dimensions?: readonly string[];
}

export interface BatchingOptions {
  /** The most rows in a batch. Setting it declares that dimension 0 of every input and output counts rows. */
  maxRows?: number;
  /** The most rows in a batch if the load finds out that requests can be batched; it declares nothing. Default: 64. */
  autoMaxRows?: number;
  /**
   * Axes by the name of their dimensions in the file (`sequence_length`), or by the place of one (`x:1`) if they
   * have no name. At most 4 axes with 256 combinations of buckets. The load checks with made-up rows that padding
   * does not change the outputs.
   */
  axes?: Readonly<Record<string, AxisOptions>>;
  /** The most elements, such as tokens, in a batch's largest input, including padding: rows × padded length. */
  maxElements?: number;
  /**
   * The only batch sizes that are run, for devices that prepare each size. Smaller batches are filled up with
   * copies of a row. The largest size is `maxRows`. Default: any size.
   */
  rowBuckets?: readonly number[];
  /** The most rows in a request. One of more than `maxRows` rows runs in parts. Default: 65536. */
  maxRequestRows?: number;
  /**
   * When an incomplete batch runs. `excess` (default): at once, except that an instance that has just ended a
   * batch waits briefly if it expects clients to come back with their next requests. `busy`: always at once.
   * `timer`: when its oldest request is `maxDelayMs` old, as in Triton and TensorFlow Serving.
   */
  policy?: 'excess' | 'busy' | 'timer';
  /** The longest time that an incomplete batch is held back, milliseconds. Setting it makes `timer` the default policy. */
  maxDelayMs?: number;
  /** The most waiting requests; one more is refused with `UNAVAILABLE`. Default: 1024. */
  maxQueue?: number;
  /**
   * The most waiting requests of each priority, from priority 0 on. A priority with 0, or beyond the end of the
   * list, has no limit but `maxQueue`. Default: [].
   */
  maxQueueByPriority?: readonly number[];
}

/**
 * Decoded images, `uint8` and [rows, height, width, channels], for an input that is `float32` and
 * [rows, channels, height, width]. The batcher computes (byte × scale − mean[c]) / std[c] while it copies them
 * into a batch, so that requests have a quarter of the bytes.
 */
export interface PixelInput {
  from: 'uint8-hwc';
  /** One number for each channel, 1 to 4, in the order of the model's channels. */
  mean: readonly number[];
  /** As `mean`; no number is 0. */
  std: readonly number[];
  /** Default: 1/255. */
  scale?: number;
  /** Swap the first and the third channel, for BGR images and an RGB model or the reverse. Default: false. */
  reverse?: boolean;
  /**
   * Requests may have pixels or the model's own form, which `signature` then shows. Requests of different forms do not share
   * a batch, unless the shapes of both are the same, as those of images with as many rows, columns and channels as the other form. Default: false, requests have pixels.
   */
  either?: boolean;
}

export interface LoadOptions {
  /** The file to load, with external data beside it. Exactly one of `path` and `bytes` must be given. */
  path?: string;
  bytes?: Uint8Array;
  /** The name in messages and statistics. Default: the file's name. */
  name?: string;
  /**
   * `cpu` (default), `cuda`, `cuda:N`, `cuda:all` (a copy on each GPU), the same with `tensorrt`, or `auto`:
   * CUDA if it can be used, otherwise the CPU with the reason in `report.fallback`.
   */
  device?: string;
  /** Options of the device. An option that the device does not have is refused. */
  deviceOptions?: DeviceOptions;
  /** Options of the execution provider by ONNX Runtime's keys. They override `deviceOptions`. */
  providerOptions?: Readonly<Record<string, string | number | boolean>>;
  /** The folder in which TensorRT engines are kept, so that they are built once. Default: they are not kept. */
  engineCache?: string;
  /** `false` means that requests are never batched. */
  batching?: BatchingOptions | false;
  /**
   * The number of native threads that form and run batches. Default: measured while loading, with a core left to
   * each JavaScript thread unless a row of the middle bucket of lengths takes 1 ms or more in a batch. A GPU has as many as `slots` and ignores this option.
   */
  instances?: number;
  /**
   * ONNX Runtime's intra-op threads for each run. Default: 1. For runs of 10 ms and more it is all cores if
   * one instance is then measured to do as much as several.
   */
  intraOpThreads?: number;
  /** Inputs by name whose requests have another form than the model takes; `signature` shows the requests' form. */
  inputs?: Readonly<Record<string, PixelInput>>;
  /**
   * Sizes for dimensions of inputs that the file leaves open, by their names in the file (`height`). Requests must have them, and
   * ONNX Runtime optimises for them. A name that no dimension has is ignored.
   */
  dimensions?: Readonly<Record<string, number>>;
  /** The share of the device's time, relative to the other models on it, when they compete. Default: 1. */
  weight?: number;
  /**
   * The longest time of a run, milliseconds. After it the run is terminated, and its requests reject with
   * `DEADLINE_EXCEEDED` at once. Default: no limit.
   */
  runLimitMs?: number;
  /**
   * Run a request on the JavaScript thread if nothing else is in progress and the run is expected to take less
   * than to hand it to an instance, which costs about 50 µs. Default: true for models whose runs always take
   * about the same time: those without control flow, without dynamic dimensions other than the rows, and, if
   * they have no rows, without inputs of 32- or 64-bit integers, which may be sizes.
   */
  inline?: boolean;
  /** The time for measuring the model's costs before it is ready, milliseconds; 0 measures nothing. Default: 200. */
  warmupMs?: number;
  /** A JSON file that keeps measured costs between processes. It is read now, and written when the model closes. */
  costFile?: string;
  /**
   * A folder that keeps measured costs between processes, in a file for each model, device, version of ONNX
   * Runtime and number of threads. It is written after the costs have been measured and when the model closes.
   */
  cacheDir?: string;
  /**
   * Called with a sentence when a load or a close could not do something that is not essential, such as read a
   * damaged cache, and when requests are not batched any more.
   */
  notice?: (sentence: string) => void;
}

/** A cumulative histogram; `counts[i]` counts observations ≤ `bounds[i]` (seconds). */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** The measured run time of batches of about `rows` rows. */
export interface CostPoint {
  /** The lengths of the bucket along each declared axis; undefined if no axis is declared. */
  readonly lengths?: Readonly<Record<string, number>>;
  readonly rows: number;
  /** The moving average, milliseconds. */
  readonly meanMs: number;
  /** The moving 95th percentile, milliseconds. */
  readonly highMs: number;
  readonly samples: number;
}

/** Sums over runs. Each time is that of all runs together, milliseconds. */
export interface RunSums {
  readonly count: number;
  /** The gathering of inputs. */
  readonly inputMs: number;
  /** The runs of the model. */
  readonly computeMs: number;
  /** The scattering of outputs. */
  readonly outputMs: number;
}

/**
 * Counters of a model, over all threads. At all times
 * `submitted = completed + failed + cancelled + expired + queued + running`.
 */
export interface ModelStats {
  readonly submitted: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly expired: number;
  /** Requests that were refused because the queue was full or too long, or the model closed; `submitted` does not count them. */
  readonly rejected: number;
  readonly queued: number;
  readonly running: number;
  readonly batches: number;
  readonly rows: number;
  /** Instances whose run has passed `runLimitMs` and has not returned. */
  readonly stuckInstances: number;
  /** Whether requests are batched. It becomes false when a request shows that dimension 0 does not count rows. */
  readonly batched: boolean;
  /** Whether the GPU is lost: every request then fails with `UNAVAILABLE` until the process is restarted. */
  readonly deviceLost: boolean;
  /** The share of clients that send their next request as soon as they have a result, 0 to 1, as the `excess` policy estimates it. */
  readonly returningShare: number;
  /** Requests per second over the last runs, as the `excess` policy estimates them. */
  readonly arrivalsPerSecond: number;
  /** How often an instance held an incomplete batch back. */
  readonly heldBack: number;
  /** Runs on JavaScript threads, without an instance. */
  readonly inlineRuns: number;
  /** The longest expected run that a JavaScript thread makes itself, milliseconds; 0 means that it makes none. */
  readonly inlineLimitMs: number;
  /** How long a request that is submitted now would wait, estimated from measured costs, milliseconds. */
  readonly expectedWaitMs: number;
  /** The costs of runs by length bucket and batch size, smallest first. */
  readonly costs: readonly CostPoint[];
  /** Runs by their number of rows, smallest first; runs of more than 4096 rows count as runs of 4096. */
  readonly sizes: readonly (RunSums & { readonly rows: number })[];
  /** Completed requests; each adds the whole time of its run. */
  readonly answered: RunSums;
  /** The end of the last run, milliseconds since the Unix epoch; 0 before the first run. */
  readonly lastRunAt: number;
  /** The time that requests waited, seconds. */
  readonly queue: Histogram;
  /** The time that runs took, seconds; one observation for each run. */
  readonly compute: Histogram;
}

/** A loaded model. It belongs to the JavaScript thread that loaded it; other threads load it again and share the session. */
export interface Model {
  readonly name: string;
  /** SHA-256 of the model's bytes and of every file of external data that it names, hexadecimal. */
  readonly digest: string;
  /** The device on which it runs, such as `cuda:0`. */
  readonly device: string;
  /** What the load found out about the device. */
  readonly report: DeviceReport;
  readonly signature: Signature;
  /** The number of native threads that form and run its batches. */
  readonly instances: number;
  /** ONNX Runtime's intra-op threads in each run. */
  readonly intraOpThreads: number;
  readonly closed: boolean;
  /**
   * Runs the model on the inputs of one request. A mask of a declared axis may be left out.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT` if the inputs do not fit the signature or an
   * option is wrong, `UNAVAILABLE` (with `retryAfterMs`) if the queue is full or too long for the deadline,
   * `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED` if memory runs out, `FAILED_PRECONDITION` after `close()`, and
   * `INTERNAL` if the run fails.
   */
  run(inputs: Tensors, options?: RunOptions): Promise<RunResult>;
  /** @throws {MillraceError} `FAILED_PRECONDITION` after `close()`. */
  stats(): ModelStats;
  /** Refuses new requests, completes the accepted ones, and then releases the model. Idempotent. */
  close(): Promise<void>;
}
