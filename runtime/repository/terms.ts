/** @module What a repository says of a model beside its files: where it runs, how it queues, its labels. */

/** Deadlines of one priority level. */
export interface LevelTerms {
  /** Longest time in the queue of requests that set none; undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** Whether a request may set a shorter time than that. */
  readonly mayShorten: boolean;
}

export interface QueueTerms {
  /** Priority levels, of which 1 is the most urgent; 0 means that requests have none. */
  readonly levels: number;
  /** Level of requests that name none; 0 where there are no levels. */
  readonly defaultLevel: number;
  readonly usual: LevelTerms;
  readonly byLevel: ReadonlyMap<number, LevelTerms>;
}

/** The time a request may wait, of what it asks for and what its level allows. */
export function allowedTimeout(
  queue: QueueTerms,
  level: number,
  wantedMs: number | undefined,
): number | undefined {
  const { timeoutMs, mayShorten } = queue.byLevel.get(level) ?? queue.usual;
  if (timeoutMs === undefined) return wantedMs;
  return mayShorten && wantedMs !== undefined ? Math.min(wantedMs, timeoutMs) : timeoutMs;
}

export interface WarmupInput {
  readonly name: string;
  /** Without the dimension that counts rows. */
  readonly dims: readonly number[];
  readonly fill: 'zero' | 'random';
  /** Elements of one row, raw, instead of `fill`. */
  readonly bytes?: Uint8Array;
}

/** Runs to be made before a version serves. */
export interface Warmup {
  readonly rows: number;
  readonly runs: number;
  readonly inputs: readonly WarmupInput[];
}

export interface ModelTerms {
  /** The configuration in Triton's own terms, where there is one. */
  readonly declared: Readonly<Record<string, unknown>> | undefined;
  /** The device the model asks for; undefined leaves it to `DEVICE`. */
  readonly device: string | undefined;
  /** ONNX Runtime's own options of the device's provider. */
  readonly providerOptions: Readonly<Record<string, string>>;
  /** Names of the classes by output. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly queue: QueueTerms;
  readonly warmups: readonly Warmup[];
  /** What of the configuration has no effect here. */
  readonly notes: readonly string[];
}

/** Of a model about which nothing is said. */
export const NO_TERMS: ModelTerms = {
  declared: undefined,
  device: undefined,
  providerOptions: {},
  labels: {},
  queue: {
    levels: 0,
    defaultLevel: 0,
    usual: { timeoutMs: undefined, mayShorten: true },
    byLevel: new Map(),
  },
  warmups: [],
  notes: [],
};
