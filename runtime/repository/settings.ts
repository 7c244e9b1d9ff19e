/** @module What a repository says of a model beside its files: where it runs, how it queues, its labels. */

/** Deadlines of one priority level. */
export interface LevelPolicy {
  /** Longest time until the answer of requests that set none; undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** Whether a request may set a shorter time than that. */
  readonly mayShorten: boolean;
}

export interface QueuePolicy {
  /** Priority levels, of which 1 is the most urgent; 0 means that requests have none. */
  readonly levels: number;
  /** Level of requests that name none; 0 where there are no levels. */
  readonly defaultLevel: number;
  readonly usual: LevelPolicy;
  readonly byLevel: ReadonlyMap<number, LevelPolicy>;
}

/** The time a request may wait, of what it asks for and what its level allows. */
export function allowedTimeout(
  queue: QueuePolicy,
  level: number,
  wantedMs: number | undefined,
): number | undefined {
  const { timeoutMs, mayShorten } = queue.byLevel.get(level) ?? queue.usual;
  if (!mayShorten || wantedMs === undefined) return timeoutMs;
  return timeoutMs === undefined ? wantedMs : Math.min(wantedMs, timeoutMs);
}

/** An input or output as the repository describes it. */
export interface DeclaredTensor {
  readonly name: string;
  /** By Triton's name, such as `TYPE_FP32`; undefined where it is not said. */
  readonly datatype: string | undefined;
  /** Without the dimension that counts rows, where the model is batched; empty where they are not said. */
  readonly dims: readonly number[];
}

export interface WarmupInput extends DeclaredTensor {
  /** What its elements are, or those of one row as they are sent in binary. */
  readonly data: 'zero' | 'random' | Uint8Array;
}

/** Runs to be made before a version serves. */
export interface Warmup {
  readonly name: string;
  readonly rows: number;
  readonly runs: number;
  readonly inputs: readonly WarmupInput[];
}

export interface RepositorySettings {
  /** The configuration in Triton's own settings, where there is one. */
  readonly declared: Readonly<Record<string, unknown>> | undefined;
  /** The device the model asks for; undefined leaves it to `DEVICE`. */
  readonly device: string | undefined;
  /** ONNX Runtime's own options of the device's provider. */
  readonly providerOptions: Readonly<Record<string, string>>;
  /** Names of the classes by output. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Inputs and outputs as they are described; empty where the model's file alone tells. */
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
  readonly queue: QueuePolicy;
  readonly warmups: readonly Warmup[];
  /** What of the configuration has no effect here. */
  readonly notes: readonly string[];
}

/** Of a model about which nothing is said. */
export const DEFAULT_SETTINGS: RepositorySettings = {
  declared: undefined,
  device: undefined,
  providerOptions: {},
  labels: {},
  inputs: [],
  outputs: [],
  queue: {
    levels: 0,
    defaultLevel: 0,
    usual: { timeoutMs: undefined, mayShorten: true },
    byLevel: new Map(),
  },
  warmups: [],
  notes: [],
};
