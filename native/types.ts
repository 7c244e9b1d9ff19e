/**
 * The public contract of models and tensors; that of the engine, which loads models, is in
 * `engine-types.ts`. A fake engine for tests implements the same interfaces.
 *
 * @module
 */

import type { DeviceOptions, DeviceReport } from './device-types.ts';

/**
 * JavaScript storage of each ONNX element type; 16-bit floats are their raw bit patterns. As an input a
 * `Float16Array` is taken, too.
 */
export interface ElementData {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  /** One byte an element, 0 or 1. */
  bool: Uint8Array;
  string: readonly string[];
}

export type ElementType = keyof ElementData;

/** A dense row-major tensor. `data` holds exactly the product of `dims` elements; a scalar has `dims: []`. */
export type Tensor<T extends ElementType = ElementType> = {
  [K in T]: { readonly type: K; readonly dims: readonly number[]; readonly data: ElementData[K] };
}[T];

/**
 * Elements as bytes at any offset: what a message brings, without a copy to align it. Numbers are as memory
 * has them; strings, which may be any bytes here, come each after its length in four bytes, little-endian.
 */
export interface PackedTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** A `Float16Array`, which not every runtime has. */
export interface HalfFloats extends ArrayBufferView, Iterable<number> {
  readonly length: number;
  readonly [index: number]: number;
  readonly [Symbol.toStringTag]: 'Float16Array';
}

/** 16-bit floats in the runtime's own array of them. */
export interface HalfTensor {
  readonly type: 'float16';
  readonly dims: readonly number[];
  readonly data: HalfFloats;
}

/** The inputs of a request by name. */
export type Tensors = Readonly<Record<string, Tensor | PackedTensor | HalfTensor>>;

/** One input or output of a model. A dynamic dimension is -1; `symbols` keeps the name it has in the file, '' where it has none. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly symbols: readonly string[];
  /**
   * Of an output of probabilities: the names of its classes in order. Set where the file has a map from class
   * to probability (ONNX's ZipMap), in whose place the probabilities are served.
   */
  readonly labels?: readonly string[];
}

/**
 * How requests to a model are joined. It changes once at most: where a request that ran alone came back with
 * another number of rows than it brought, requests are not joined any more.
 */
export interface BatchingState {
  readonly enabled: boolean;
  /** 1 where requests are not joined. */
  readonly maxRows: number;
  /** A sentence where requests are not joined, or less than was declared; else ''. */
  readonly reason: string;
  /**
   * The lengths that requests are padded to along each declared axis. Undefined where no axis is
   * declared, and where padding changes answers: then only requests of equal lengths are joined.
   */
  readonly axes?: Readonly<Record<string, readonly number[]>>;
}

export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batching: BatchingState;
}

/** Where one request's time went. Rows and requests are those of the batch it travelled in. */
export interface Timings {
  /** Submit to the start of the run, milliseconds. */
  readonly queueMs: number;
  /** The run itself, milliseconds. */
  readonly computeMs: number;
  readonly batchRows: number;
  readonly batchRequests: number;
}

export interface RunResult {
  readonly outputs: Record<string, Tensor>;
  /** With `packStrings`, the outputs of strings, which are not among `outputs` then. */
  readonly packedStrings?: Readonly<Record<string, PackedTensor>>;
  readonly timings: Timings;
}

/** The part of an `AbortSignal` that a run uses, so that a caller can bring a lighter object of its own. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface RunOptions {
  /** Relative deadline, milliseconds. When it passes the promise rejects with `DEADLINE_EXCEEDED`. */
  timeoutMs?: number;
  /** Aborting rejects the promise with the signal's reason and drops the request if no batch holds it yet. */
  signal?: CancelSignal;
  /** 0 (default) is the most urgent level, 255 the least. */
  priority?: number;
  /** Names of the outputs wanted. Default: all. */
  outputs?: readonly string[];
  /**
   * Give outputs of strings as their bytes, in `packedStrings`. Without it a run whose strings are not all
   * UTF-8 rejects with `INVALID_ARGUMENT`. Default: false.
   */
  packStrings?: boolean;
  /**
   * Hand large inputs (64 KiB and more) over instead of copying them: their `ArrayBuffer`s are
   * detached, as with `structuredClone(…, { transfer })`. `later`: not before they have been read, so
   * nobody may touch them meanwhile, not even when the request is given up; where a runtime cannot detach
   * without a copy they stay as they are. Cheaper, since collectors count memory anew with each owner.
   * Default: false.
   */
  transfer?: boolean | 'lend';
}

/** A number or, where the input holds such, a bigint, a boolean or a text. */
export type PadValue = number | bigint | boolean | string;

/**
 * A length that changes from request to request. Requests are padded to the smallest bucket that holds
 * them, share runs with others of the bucket, and get their outputs cut back to their own length.
 */
export interface AxisOptions {
  /** Lengths that are run. A request longer than the largest is refused. */
  buckets: readonly number[];
  /** What inputs are padded with: one value for all, or one for each by name. Default: 0, `false`, ''. */
  pad?: PadValue | Readonly<Record<string, PadValue>>;
  /**
   * The input that is 1 where the request is and 0 where it is padded. Requests may leave it out: it is
   * then made; one they bring is padded with 0.
   */
  mask?: string;
  /** Dimensions of this length that do not have the axis's name in the file, such as `logits:1`. */
  dimensions?: readonly string[];
}

export interface BatchingOptions {
  /** Most rows in one run. Setting it declares that dimension 0 of every input and output counts rows. */
  maxRows?: number;
  /** Most rows in one run where the load finds that rows may be joined; declares nothing. Default 64. */
  autoMaxRows?: number;
  /**
   * Axes by the name that their dimensions have in the file (`sequence_length`), or by the place of one
   * (`x:1`) where they have none. At most 4, and 256 combinations of buckets. The load checks on made-up
   * rows that padding does not change the answers.
   */
  axes?: Readonly<Record<string, AxisOptions>>;
  /** Most elements in a batch's largest input, padding included, such as tokens: rows × padded length. */
  maxElements?: number;
  /**
   * The only batch sizes that are run; batches between them are filled up with copies of a row. For
   * devices that prepare each size. The largest is `maxRows`. Default: any size.
   */
  rowBuckets?: readonly number[];
  /** Most rows in one request; those beyond `maxRows` run in parts. More is refused. Default 65536. */
  maxRequestRows?: number;
  /**
   * When an incomplete batch runs. `excess` (default): at once, except that just after a batch has
   * ended an instance waits briefly for clients known to come straight back. `busy`: at once, always.
   * `timer`: when its oldest request is `maxDelayMs` old, as in Triton and TensorFlow Serving.
   */
  policy?: 'excess' | 'busy' | 'timer';
  /** Longest time an incomplete batch is held back, milliseconds. Setting it makes `timer` the default policy. */
  maxDelayMs?: number;
  /** Most requests waiting; one more is refused with `UNAVAILABLE`. Default 1024. */
  maxQueue?: number;
  /**
   * Of them at most so many of each priority, from the most urgent on; 0, and one that is left out: no
   * limit of its own. Default: none has one.
   */
  maxQueueByPriority?: readonly number[];
}

/**
 * Images as they are decoded, `uint8` and [rows, height, width, channels], for an input that is
 * `float32` and [rows, channels, height, width]. The batcher computes (byte × scale − mean[c]) / std[c]
 * where it would copy them, so requests carry a quarter of the bytes.
 */
export interface PixelInput {
  from: 'uint8-hwc';
  /** One number a channel, in the order of the model's planes. */
  mean: readonly number[];
  std: readonly number[];
  /** Default 1/255. */
  scale?: number;
  /** Requests bring BGR where the model takes RGB, or the other way round. Default: false. */
  reverse?: boolean;
}

export interface LoadOptions {
  /** File to load; external data is looked up beside it. Exactly one of `path` and `bytes`. */
  path?: string;
  bytes?: Uint8Array;
  /** Name used in messages and statistics. Default: the file's name. */
  name?: string;
  /**
   * `cpu` (default), `cuda`, `cuda:N`, `cuda:all` (a copy on each GPU), the same with `tensorrt`, or
   * `auto`: CUDA where it can be used, else the CPU, with the reason in `report.fallback`.
   */
  device?: string;
  /** Options of the device; one that it does not have is refused. */
  deviceOptions?: DeviceOptions;
  /** ONNX Runtime's own options of its provider, by its own keys. They win over `deviceOptions`. */
  providerOptions?: Readonly<Record<string, string | number | boolean>>;
  /** Folder where TensorRT's engines are kept, so that they are built once. Default: they are not. */
  engineCache?: string;
  /** `false`: never join requests. */
  batching?: BatchingOptions | false;
  /**
   * Native threads that form and run batches. Default: measured while loading, leaving a core to
   * JavaScript. A GPU has as many as `slots` and ignores this.
   */
  instances?: number;
  /**
   * ONNX Runtime's intra-op threads for each run. Default: 1, or for runs of 10 ms and more all the
   * cores of the instances, if one instance is then measured to do as much as several.
   */
  intraOpThreads?: number;
  /** Inputs that requests bring in another form than the model's, by name; `signature` shows theirs. */
  inputs?: Readonly<Record<string, PixelInput>>;
  /** Share of the device's time, relative to the other models on it, when they compete. Default 1. */
  weight?: number;
  /**
   * Longest a run may take, milliseconds. Beyond it the run is cut short and its requests are
   * rejected with `DEADLINE_EXCEEDED` at once. Default: no limit.
   */
  runLimitMs?: number;
  /**
   * Run a request on the JavaScript thread when nothing else is going on and the run is expected to
   * take less than handing it to an instance, which costs about 50 µs. Default: true
   * for models whose runs cannot differ in length: no control flow, no dynamic dimension but the rows,
   * and without rows no 32- or 64-bit integers, which may be sizes.
   */
  inline?: boolean;
  /** Time spent on measuring the model's cost before it is ready, milliseconds. Default 200; 0: none. */
  warmupMs?: number;
  /** JSON file that keeps measured costs between processes: read here, written when the model closes. */
  costFile?: string;
  /**
   * Folder that keeps measured costs between processes, a file for each model, device, version of ONNX
   * Runtime and number of threads; written when they have been measured and when the model closes.
   */
  cacheDir?: string;
  /**
   * Told in a sentence what a load or a close has left undone, such as reading a damaged cache, and that
   * requests are not joined any more.
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

/** Measured run time of batches of about `rows` rows. */
export interface CostPoint {
  /** The bucket's length along each declared axis; undefined where none is declared. */
  readonly lengths?: Readonly<Record<string, number>>;
  readonly rows: number;
  /** Moving average, milliseconds. */
  readonly meanMs: number;
  /** Moving 95th percentile, milliseconds. */
  readonly highMs: number;
  readonly samples: number;
}

/** What runs add up to. Each time is that of all of them together, milliseconds. */
export interface RunSums {
  readonly count: number;
  /** Laying out the inputs. */
  readonly inputMs: number;
  /** The model itself. */
  readonly computeMs: number;
  /** Handing out the outputs. */
  readonly outputMs: number;
}

/** Counted natively, over every thread. `submitted = completed + failed + cancelled + expired + queued + running`. */
export interface ModelStats {
  readonly submitted: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly expired: number;
  /** Refused at submit because the queue was full or the model closed; not part of `submitted`. */
  readonly rejected: number;
  readonly queued: number;
  readonly running: number;
  readonly batches: number;
  readonly rows: number;
  /** Instances whose present run has passed `runLimitMs` and has not returned. */
  readonly stuckInstances: number;
  /** Whether requests share runs by now: a model that turns out to have no rows stops. */
  readonly batched: boolean;
  /** Whether the GPU is lost to this process: every request then fails with `UNAVAILABLE` until it is restarted. */
  readonly deviceLost: boolean;
  /** Share of answered clients that come back at once, 0 to 1, as the `excess` policy has learnt it. */
  readonly returningShare: number;
  /** Requests a second over the last runs, as the `excess` policy has learnt it. */
  readonly arrivalsPerSecond: number;
  /** Times that an instance held an incomplete batch back. */
  readonly heldBack: number;
  /** Runs made by JavaScript threads themselves. */
  readonly inlineRuns: number;
  /** Longest expected run that a JavaScript thread makes itself; 0: it makes none. */
  readonly inlineLimitMs: number;
  /** How long a request submitted now would wait, going by measured costs. */
  readonly expectedWaitMs: number;
  /** What runs cost by bucket and batch size, smallest first. */
  readonly costs: readonly CostPoint[];
  /** Runs by their rows, smallest first; those of more than 4096 count as runs of 4096. */
  readonly sizes: readonly (RunSums & { readonly rows: number })[];
  /** Answered requests, each with the whole of its run. */
  readonly answered: RunSums;
  /** When the last run ended, milliseconds since the Unix epoch; 0 before the first. */
  readonly lastRunAt: number;
  /** Time requests waited, seconds. */
  readonly queue: Histogram;
  /** Time runs took, seconds; one observation a run. */
  readonly compute: Histogram;
}

export interface Model {
  readonly name: string;
  /** SHA-256 of the model's bytes, and, where it has external data, of every file that it names; hexadecimal. */
  readonly digest: string;
  /** Where it runs, such as `cuda:0`. */
  readonly device: string;
  /** What the load found out about the device. */
  readonly report: DeviceReport;
  readonly signature: Signature;
  /** Native threads that serve this model. */
  readonly instances: number;
  /** ONNX Runtime's threads in each run. */
  readonly intraOpThreads: number;
  readonly closed: boolean;
  /**
   * Runs the model on one request's rows. A mask of a declared axis may be left out.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT` for inputs that do not fit the
   * signature, `UNAVAILABLE` (with `retryAfterMs`) when the queue is full or too long for the deadline,
   * `DEADLINE_EXCEEDED`, `FAILED_PRECONDITION`
   * after `close()`, `INTERNAL` when the run fails.
   */
  run(inputs: Tensors, options?: RunOptions): Promise<RunResult>;
  stats(): ModelStats;
  /** Refuses new requests, answers those accepted, then releases the model. Idempotent. */
  close(): Promise<void>;
}
