/** @module One loaded version of a model, which stays loaded while requests use it. */

import { basename } from 'node:path';
import type {
  DeviceReport,
  Model,
  ModelStats,
  PoolOptions,
  RunOptions,
  RunResult,
  Signature,
  Tensors,
} from '../native/index.ts';
import { redact, ServeError } from './errors.ts';
import type { ImageModel } from './image/image-model.ts';
import { InFlightCount } from './in-flight-count.ts';
import type { ModelConfig, RepositorySettings, Warmup } from './repository/index.ts';
import {
  createTask,
  isImageTask,
  type MediaTaskName,
  type ModelTask,
  type TaskModel,
  type TaskName,
} from './tasks/index.ts';
import type { TextModel } from './text/index.ts';
import { describedRows } from './validate-config.ts';
import type { VersionSource } from './version-source.ts';
import { warmupInputs, zeroRow } from './warmup.ts';

const ENGINE_LEVELS = 256;
/** How long a load waits for each run that warms a model, milliseconds. */
const WARM_UP_MS = 60_000;

/** What is known about the texts or images of a version. */
export interface VersionMedia {
  readonly task: MediaTaskName;
  /** Set if texts can be read. */
  readonly text?: TextModel | undefined;
  /** Set if images can be read. */
  readonly image?: ImageModel | undefined;
  /** Why they cannot be read, as a sentence without a full stop; undefined if they can. */
  readonly obstacle: string | undefined;
  /** A legal input of one row. */
  readonly example: Tensors | undefined;
}

/**
 * Receives tokens as a model that generates text makes them.
 *
 * @param stop Ends the generation: the run then returns the tokens so far, with the finish reason `stop`.
 */
export type OnTokens = (tokens: Int32Array, stop: () => void) => void;

/** How one run is made. */
export interface VersionRunOptions extends RunOptions {
  /** Other models than those that generate text never call it. */
  onTokens?: OnTokens;
}

/** The options of a run whose result has one output alone, if that is to be pooled; else the options as they are. */
export function withPool(
  options: VersionRunOptions,
  pool: PoolOptions | undefined,
): VersionRunOptions {
  if (pool === undefined) return options;
  const { outputs: _, ...others } = options;
  return { ...others, pool };
}

export class ModelVersion {
  readonly model: string;
  readonly version: string;
  readonly signature: Signature;
  /** The device that runs it, with what was found out about it. The notes also name settings without effect. */
  readonly device: DeviceReport;
  /** The name of the file that it runs. */
  readonly file: string;
  /** Native threads that run it. */
  readonly instances: number;
  /** Runs that are computed at the same time: one on each instance, or those that share a step of generation. */
  readonly parallelRuns: number;
  /** Names of the outputs of requests that name no output; undefined means all outputs of the model. */
  readonly outputs: readonly string[] | undefined;
  /** Names of the classes by output, if they are known. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** The task of a model that takes rows of features, or the reason why it has none. */
  readonly task: ModelTask | ServeError;
  /** What it does; undefined if it only runs tensors. */
  readonly taskName: TaskName | undefined;
  /** Set for a model that takes text, if texts can be read. */
  readonly text: TextModel | undefined;
  /** Set for a model that takes images, if they can be read. */
  readonly image: ImageModel | undefined;
  /** Whether `null` in JSON is a missing value, which is NaN, among the floats of an input. */
  readonly nullIsNaN: boolean;
  readonly settings: RepositorySettings;
  /** The content of `model.json`. */
  readonly config: ModelConfig;
  readonly #native: Model;
  readonly #media: VersionMedia | undefined;
  readonly #notes: string[];
  readonly #inFlight = new InFlightCount();

  /**
   * Takes ownership of `native` and of the tokenizer of `media`, which are closed with this version.
   *
   * @param notes Sentences about how it was loaded.
   */
  constructor(
    source: VersionSource,
    native: Model,
    media?: VersionMedia,
    notes: readonly string[] = [],
  ) {
    this.model = source.model;
    this.version = source.version;
    this.file = basename(source.path);
    const { settings } = source;
    const described = settings.outputs.map(({ name }) => name);
    this.outputs = described.length === 0 ? undefined : described;
    this.signature = withDeclaredOutputs(native.signature, this.outputs);
    this.#notes = [...settings.notes, ...native.report.notes.map(redact), ...notes];
    this.device = {
      ...native.report,
      notes: this.#notes,
      fallback: redact(native.report.fallback),
    };
    this.instances = native.instances;
    this.text = media?.text;
    this.image = media?.image;
    const generates = this.text?.generation !== undefined;
    this.parallelRuns = generates ? native.signature.batching.maxRows : native.instances;
    this.#media = media;
    const about = { name: source.model, signature: native.signature, labels: settings.labels };
    this.task =
      media === undefined ? taskOf(about, source.config) : notTabular(source.model, media);
    this.taskName = media?.task ?? (this.task instanceof ServeError ? undefined : this.task.name);
    const taskNotes = this.task instanceof ServeError ? [] : this.task.notes;
    this.#notes.push(...taskNotes);
    for (const note of taskNotes) source.notice?.(note);
    this.labels = {
      ...classesOf(native.signature),
      ...labelsOf(source, this.task),
      ...scoresOf(this),
    };
    this.nullIsNaN = source.config.missing === 'nan';
    this.settings = settings;
    this.config = source.config;
    this.#native = native;
  }

  /** Keeps the version loaded until the matching `release()`. */
  hold(): this {
    this.#inFlight.hold();
    return this;
  }

  release(): void {
    this.#inFlight.release();
  }

  /** SHA-256 of the model, hexadecimal. */
  get digest(): string {
    return this.#native.digest;
  }

  /** Runs the model in the engine, whose errors it passes on. */
  run(inputs: Tensors, options: VersionRunOptions): Promise<RunResult> {
    return this.#native.run(inputs, options);
  }

  /** @throws {ServeError} `MODEL_NOT_READY` with what to do if its task is one on texts or images that cannot be read. */
  checkMedia(): void {
    const { task, obstacle } = this.#media ?? {};
    if (obstacle === undefined) return;
    const media = isImageTask(task) ? 'images' : 'texts';
    throw new ServeError(
      'MODEL_NOT_READY',
      `Model '${this.model}' cannot read ${media}. ${obstacle}`,
    );
  }

  /**
   * Why texts or images cannot be read although its task is one on them, as a sentence without a full stop; undefined if
   * they can.
   */
  get mediaObstacle(): string | undefined {
    return this.#media?.obstacle;
  }

  /** A legal input of one row: the tokens of a short text, or a black image, for a model of these; otherwise zeros. */
  exampleRow(): Tensors {
    return this.#media?.example ?? zeroRow(this.signature);
  }

  stats(): ModelStats {
    return this.#native.stats();
  }

  /** Instances that nothing can run on, because a run on them has passed its limit and not returned. */
  get stuckInstances(): number {
    return this.stats().stuckInstances;
  }

  /** Whether requests get responses: some instance is free, or will be after its current run. */
  get responds(): boolean {
    return this.stuckInstances < this.instances;
  }

  /**
   * The priority level of a request: the requested one, else the model's default, which is 0 if there are no levels.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` for a level that the model does not have.
   */
  level(wanted = 0): number {
    const { levels, defaultLevel } = this.settings.queue;
    if (wanted === 0) return defaultLevel;
    // If the configuration declares no levels, those of the engine can be used.
    const most = levels === 0 ? ENGINE_LEVELS : levels;
    if (Number.isInteger(wanted) && wanted >= 1 && wanted <= most) return wanted;
    throw new ServeError(
      'INVALID_ARGUMENT',
      `priority is ${wanted}: expected a whole number from 1 (most urgent) to ${most}, or 0 for the default.`,
    );
  }

  /**
   * Warms the model with runs, so that everything is allocated before the first request: the warm-ups that the
   * repository describes, or one row.
   *
   * @throws if a described warm-up does not fit the model, or its run fails.
   */
  async warm(config: ModelConfig): Promise<void> {
    const { warmups } = this.settings;
    if (warmups.length === 0) return this.#runExample();
    const mostRows = describedRows(config, this.signature);
    for (const warmup of warmups) await this.#runWarmup(warmup, mostRows);
  }

  async #runWarmup(warmup: Warmup, mostRows: number): Promise<void> {
    const inputs = warmupInputs(warmup, this.signature, mostRows);
    try {
      for (let run = 0; run < warmup.runs; run += 1) {
        await this.run(inputs, { timeoutMs: WARM_UP_MS });
      }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ServeError('INVALID_CONFIG', `model_warmup '${warmup.name}' failed: ${reason}`, {
        cause,
      });
    }
  }

  async #runExample(): Promise<void> {
    try {
      await this.run(this.exampleRow(), { timeoutMs: WARM_UP_MS });
    } catch (error) {
      // Zeros are a guess: a model may divide by them, use them as a shape, or never end.
      const reason = error instanceof Error ? redact(error.message) : 'it was refused';
      const what = this.text !== undefined ? 'a text' : this.image ? 'a black image' : 'zeros';
      this.#notes.push(`The run of ${what} that warms it failed: ${reason}`);
    }
  }

  /** Waits for its holders, then unloads the version. */
  async close(): Promise<void> {
    await this.#inFlight.idle();
    await Promise.all([this.#native.close(), this.text?.tokenizer.close()]);
  }
}

/** Outputs that config.pbtxt does not declare are hidden from the metadata and returned only to requests that name them. */
function withDeclaredOutputs(
  signature: Signature,
  outputs: readonly string[] | undefined,
): Signature {
  if (outputs === undefined) return signature;
  return { ...signature, outputs: signature.outputs.filter(({ name }) => outputs.includes(name)) };
}

/** Names of classes that the model's own file has. */
function classesOf({ outputs }: Signature): Readonly<Record<string, readonly string[]>> {
  const named = outputs.flatMap(({ name, labels }) =>
    labels === undefined ? [] : [[name, labels]],
  );
  return Object.fromEntries(named);
}

function labelsOf({ config, settings }: VersionSource, task: ModelTask | ServeError) {
  if (config.labels === undefined || task instanceof ServeError) return settings.labels;
  return { ...settings.labels, [task.outputs[0]!]: config.labels };
}

/** Names of the scores of a classifier of texts or images, of which each row has one for each. */
function scoresOf({ text, image }: Pick<ModelVersion, 'text' | 'image'>) {
  if (text !== undefined && text.labels.length > 0) return { [text.output]: text.labels };
  if (image === undefined || image.labels.length === 0 || image.head.kind !== 'scores') return {};
  return { [image.head.output]: image.labels };
}

/** Why a model of texts or images does not take rows of features. */
const notTabular = (model: string, { task }: VersionMedia): ServeError =>
  new ServeError(
    'WRONG_TASK',
    `Model '${model}' does ${task} and takes ${isImageTask(task) ? 'images' : 'text'}, not features; name a classifier or regressor.`,
  );

/** Keys of `model.json` that describe a task, also if it does not name one. */
const TASK_KEYS = ['task', 'input', 'output', 'features', 'activation'] as const;

/** @throws {ServeError} `INVALID_CONFIG` when `model.json` describes a task that the model cannot do. */
function taskOf(model: TaskModel, config: ModelConfig): ModelTask | ServeError {
  try {
    return createTask(model, config);
  } catch (error) {
    const isDescribed = TASK_KEYS.some((key) => config[key] !== undefined);
    if (isDescribed || !(error instanceof ServeError)) throw error;
    return new ServeError('INVALID_ARGUMENT', error.message);
  }
}
