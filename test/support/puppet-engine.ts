/**
 * An engine without a model: the test decides the outputs and the time of its runs. It keeps the engine's contract
 * (cancellation, deadlines, counters), so tests on it are valid for the real one.
 *
 * @module
 */

import { openCodec } from '../../native/codec.ts';
import type { DeviceReport } from '../../native/device-types.ts';
import type { Counters, Engine, EngineInfo } from '../../native/engine-types.ts';
import { MillraceError } from '../../native/errors.ts';
import type { GenerativeModel, GeneratorOptions } from '../../native/generation-types.ts';
import { openImages } from '../../native/images.ts';
import type { RunOptions, RunResult, Timings } from '../../native/run-types.ts';
import type { Tensor, Tensors } from '../../native/tensor-types.ts';
import type {
  CostPoint,
  Histogram,
  LoadOptions,
  Model,
  ModelStats,
  Signature,
} from '../../native/types.ts';
import { type GeneratorScript, PuppetGenerator, puppetEcho } from './puppet-generator.ts';

/** The behaviour of a model. */
export interface PuppetScript {
  readonly signature: Signature;
  /** The device report of a load. */
  readonly report?: Partial<DeviceReport>;
  /** Returns the outputs for the inputs of a run. It may throw any error with which a run may reject. */
  readonly run: (inputs: Tensors) => RunResult['outputs'];
}

/** Returns the script of a model by its name, such as `iris:v1.0`. It may throw any error with which a load may reject. */
export type PuppetRepository = (name: string, options: LoadOptions) => PuppetScript;

/** Returns the script of a generative model by its name. It may throw any error with which a load may reject. */
export type PuppetGenerators = (name: string, options: GeneratorOptions) => GeneratorScript;

const TIMINGS: Timings = { queueMs: 0.04, computeMs: 0.21, batchRows: 8, batchRequests: 8 };

/** A classifier with the input `[rows, width]` of float32 and the output `scores`, in which row `i` has class `i % classes`. */
export function puppetClassifier(width = 4, classes = 3): PuppetScript {
  const tensor = (name: string, size: number) =>
    ({ name, type: 'float32', dims: [-1, size], symbols: ['', ''] }) as const;
  const one = scores(1, classes);
  return {
    signature: {
      inputs: [tensor('features', width)],
      outputs: [tensor('scores', classes)],
      batching: { enabled: true, maxRows: 16, reason: '' },
    },
    run: ({ features }) => {
      const rows = features!.dims[0]!;
      return { scores: rows === 1 ? one : scores(rows, classes) };
    },
  };
}

function scores(rows: number, classes: number): Tensor {
  const data = new Float32Array(rows * classes).fill(0.03 / (classes - 1));
  for (let row = 0; row < rows; row += 1) data[row * classes + (row % classes)] = 0.97;
  return { type: 'float32', dims: [rows, classes], data };
}

export class PuppetModel implements Model {
  readonly name: string;
  readonly digest = '0'.repeat(64);
  readonly device: string;
  readonly report: DeviceReport;
  readonly instances: number;
  readonly intraOpThreads = 1;
  readonly signature: Signature;
  closed = false;
  /** The options of every run. */
  readonly runs: RunOptions[] = [];
  /** Measurements of a running engine. */
  measured = {
    stuckInstances: 0,
    batched: true,
    deviceLost: false,
    returningShare: 0,
    expectedWaitMs: 0,
    costs: [] as readonly CostPoint[],
    arrivalsPerSecond: 0,
    heldBack: 0,
    inlineRuns: 0,
    inlineLimitMs: 0,
  };
  readonly #script: PuppetScript;
  /** The input whose dimension 0 is the number of rows. */
  readonly #rowsOf: string;
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  /** What `stats()` reports of them; tests can also read it after `close()`. */
  readonly counts = {
    submitted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
    rejected: 0,
    queued: 0,
    running: 0,
    batches: 0,
    rows: 0,
  };

  constructor(script: PuppetScript, options: LoadOptions) {
    this.name = options.name ?? 'puppet';
    this.report = {
      device: options.device ?? 'cpu',
      fallback: '',
      notes: [],
      nodes: [],
      shapes: [],
      ...script.report,
    };
    this.device = this.report.device;
    this.instances = options.instances ?? 1;
    this.signature = script.signature;
    this.#script = script;
    this.#rowsOf = script.signature.inputs[0]?.name ?? '';
  }

  /** Holds every later run until `release()`. */
  hold(): void {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate ??= { opened, open };
  }

  release(): void {
    this.#gate?.open();
    this.#gate = undefined;
  }

  run(inputs: Tensors, options: RunOptions = {}): Promise<RunResult> {
    if (this.closed) {
      this.counts.rejected += 1;
      return Promise.reject(new MillraceError('FAILED_PRECONDITION', 'The model is closed'));
    }
    this.counts.submitted += 1;
    this.runs.push(options);
    return this.#gate === undefined
      ? Promise.resolve(this.#finish(inputs))
      : this.#wait(inputs, options, this.#gate.opened);
  }

  stats(): ModelStats {
    if (this.closed) throw new MillraceError('FAILED_PRECONDITION', 'The model is closed');
    const { completed } = this.counts;
    const histogram: Histogram = { bounds: [0.001], counts: [completed], count: completed, sum: 0 };
    const answered = { count: completed, inputMs: 0, computeMs: 0, outputMs: 0 };
    const runs = { sizes: [], answered, lastRunAt: 0 };
    return { ...this.counts, ...this.measured, ...runs, queue: histogram, compute: histogram };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #finish(inputs: Tensors): RunResult | Promise<never> {
    try {
      const outputs = this.#script.run(inputs);
      this.counts.completed += 1;
      this.counts.batches += 1;
      this.counts.rows += inputs[this.#rowsOf]?.dims[0] ?? 1;
      // A new object for each run, as from the engine.
      return { outputs, timings: { ...TIMINGS } };
    } catch (error) {
      this.counts.failed += 1;
      return Promise.reject(error);
    }
  }

  async #wait(inputs: Tensors, options: RunOptions, gate: Promise<void>): Promise<RunResult> {
    const { signal, timeoutMs } = options;
    const counts = this.counts;
    counts.queued += 1;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let cancel = () => {};
    const early = new Promise<never>((_, reject) => {
      cancel = () => {
        counts.cancelled += 1;
        reject(signal?.reason);
      };
      const expire = () => {
        counts.expired += 1;
        reject(new MillraceError('DEADLINE_EXCEEDED', 'The deadline passed'));
      };
      if (signal?.aborted) cancel();
      else signal?.addEventListener('abort', cancel);
      if (timeoutMs !== undefined) timer = setTimeout(expire, timeoutMs);
    });
    try {
      await Promise.race([gate, early]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      counts.queued -= 1;
    }
    return this.#finish(inputs);
  }
}

export class PuppetEngine implements Engine {
  readonly info: EngineInfo;
  readonly counters: Counters = new PuppetCounters();
  readonly codec = openCodec();
  readonly images = openImages();
  /** Every model loaded so far, by name. */
  readonly models = new Map<string, PuppetModel>();
  /** Every call of `load`. */
  readonly loads: LoadOptions[] = [];
  /** Every generative model loaded so far, by name. */
  readonly generators = new Map<string, PuppetGenerator>();
  /** Every call of `loadGenerator`. */
  readonly generatorLoads: GeneratorOptions[] = [];
  closed = false;
  readonly #repository: PuppetRepository;
  readonly #generatorRepository: PuppetGenerators;

  /**
   * @param repository The scripts of the models. Default: a classifier of three classes.
   * @param generators The scripts of the generative models. Default: one that says its input backwards.
   */
  constructor(
    repository: PuppetRepository = () => puppetClassifier(),
    providers: readonly string[] = ['CPUExecutionProvider'],
    generators: PuppetGenerators = () => puppetEcho,
  ) {
    this.#repository = repository;
    this.#generatorRepository = generators;
    this.info = { onnxRuntimeVersion: '0.0.0', library: 'puppet', providers };
  }

  async load(options: LoadOptions): Promise<Model> {
    this.loads.push(options);
    const name = options.name ?? 'puppet';
    const model = new PuppetModel(this.#repository(name, options), options);
    this.models.set(name, model);
    return model;
  }

  async loadGenerator(options: GeneratorOptions): Promise<GenerativeModel> {
    this.generatorLoads.push(options);
    const name = options.name ?? 'puppet';
    const model = new PuppetGenerator(this.#generatorRepository(name, options), options);
    this.generators.set(name, model);
    return model;
  }

  /** What is in a file is nothing by default. */
  inspect: Engine['inspect'] = async () => ({
    digest: '0'.repeat(64),
    inputs: [],
    outputs: [],
    metadata: {},
  });

  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.models.values(), ...this.generators.values()];
    await Promise.all(all.map((model) => model.close()));
  }
}

class PuppetCounters implements Counters {
  readonly #keys: string[] = [];
  /** Unlike those of a snapshot, the counts are of single buckets. */
  readonly #histograms: {
    bounds: readonly number[];
    counts: number[];
    count: number;
    sum: number;
  }[] = [];

  series(key: string, bounds: readonly number[]): number {
    const known = this.#keys.indexOf(key);
    if (known !== -1) return known;
    this.#histograms.push({ bounds, counts: bounds.map(() => 0), count: 0, sum: 0 });
    return this.#keys.push(key) - 1;
  }

  observe(series: number, seconds: number): void {
    const histogram = this.#histograms[series]!;
    const { bounds, counts } = histogram;
    histogram.count += 1;
    histogram.sum += seconds;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket += 1;
    if (bucket < bounds.length) counts[bucket]! += 1;
  }

  add(series: number, amount: number): void {
    this.#histograms[series]!.count += amount;
  }

  snapshot() {
    return this.#keys.map((key, i) => {
      const histogram = this.#histograms[i]!;
      let below = 0;
      const counts = histogram.counts.map((count) => {
        below += count;
        return below;
      });
      return { key, histogram: { ...histogram, counts } };
    });
  }
}
