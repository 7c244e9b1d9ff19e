/** @module Settings of a model that its configuration declares: device, queue policy, labels, warm-ups. */

/** Deadlines of one priority level. */
export interface LevelPolicy {
  /** Timeout of requests that set none, until their response; undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** Whether a request may set a shorter timeout. */
  readonly mayShorten: boolean;
}

export interface QueuePolicy {
  /** Number of priority levels, of which 1 is the most urgent; 0 means that requests have no priority. */
  readonly levels: number;
  /** Level of requests that name none; 0 if there are no levels. */
  readonly defaultLevel: number;
  readonly defaultPolicy: LevelPolicy;
  readonly byLevel: ReadonlyMap<number, LevelPolicy>;
}

/** The timeout of a request, from the one that it requests and the one that its priority level allows. */
export function allowedTimeout(
  queue: QueuePolicy,
  level: number,
  wantedMs: number | undefined,
): number | undefined {
  const { timeoutMs, mayShorten } = queue.byLevel.get(level) ?? queue.defaultPolicy;
  if (!mayShorten || wantedMs === undefined) return timeoutMs;
  return timeoutMs === undefined ? wantedMs : Math.min(wantedMs, timeoutMs);
}

/** An input or output as the configuration declares it. */
export interface DeclaredTensor {
  readonly name: string;
  /** Triton's name of the datatype, such as `TYPE_FP32`; undefined if it is not declared. */
  readonly datatype: string | undefined;
  /** Without the batch dimension if the model is batched; empty if they are not declared. */
  readonly dims: readonly number[];
}

export interface WarmupInput extends DeclaredTensor {
  /** The elements: zeros, random numbers, or the bytes of one row in the binary form of V2. */
  readonly data: 'zero' | 'random' | Uint8Array;
}

/** Runs that are made before a version is served. */
export interface Warmup {
  readonly name: string;
  readonly rows: number;
  readonly runs: number;
  readonly inputs: readonly WarmupInput[];
}

export interface RepositorySettings {
  /** The content of `config.pbtxt`, if there is one. */
  readonly declared: Readonly<Record<string, unknown>> | undefined;
  /** The device of the model, in the form of `DEVICE`; undefined means that of `DEVICE`. */
  readonly device: string | undefined;
  /** Options of the execution provider, by ONNX Runtime's names. */
  readonly providerOptions: Readonly<Record<string, string>>;
  /** Names of the classes, by output. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Declared inputs and outputs; empty if the model file alone determines them. */
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
  readonly queue: QueuePolicy;
  readonly warmups: readonly Warmup[];
  /** Sentences about parts of the configuration that have no effect, and about files that were chosen. */
  readonly notes: readonly string[];
}

/** The settings of a model without a configuration. */
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
    defaultPolicy: { timeoutMs: undefined, mayShorten: true },
    byLevel: new Map(),
  },
  warmups: [],
  notes: [],
};
