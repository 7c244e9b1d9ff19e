/** @module The fields of Triton's `ModelConfig` message that are used or reported. */

import { datatypes, type ElementType, quote, shorten } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';

export interface TritonConfig {
  readonly name?: string;
  readonly platform?: string;
  readonly backend?: string;
  readonly max_batch_size?: number;
  readonly version_policy?: {
    readonly latest?: { readonly num_versions?: number };
    readonly all?: object;
    readonly specific?: { readonly versions?: readonly (number | string)[] };
  };
  readonly input?: readonly TritonInput[];
  readonly output?: readonly TritonOutput[];
  readonly instance_group?: readonly InstanceGroup[];
  readonly default_model_filename?: string;
  readonly cc_model_filenames?: object;
  readonly metric_tags?: object;
  readonly dynamic_batching?: DynamicBatching;
  readonly sequence_batching?: object;
  readonly ensemble_scheduling?: object;
  readonly model_transaction_policy?: { readonly decoupled?: boolean };
  readonly model_operations?: object;
  readonly batch_input?: object;
  readonly batch_output?: object;
  readonly optimization?: {
    readonly execution_accelerators?: {
      readonly gpu_execution_accelerator?: readonly Accelerator[];
      readonly cpu_execution_accelerator?: readonly Accelerator[];
    };
    readonly [field: string]: unknown;
  };
  readonly parameters?: Readonly<Record<string, { readonly string_value?: string }>>;
  readonly model_warmup?: readonly TritonWarmup[];
  readonly model_repository_agents?: object;
  readonly response_cache?: { readonly enable?: boolean };
  readonly model_metrics?: object;
}

export interface TritonTensor {
  readonly name?: string;
  readonly data_type?: string;
  readonly dims?: readonly (number | string)[];
  readonly reshape?: object;
  readonly is_shape_tensor?: boolean;
}

export interface TritonInput extends TritonTensor {
  readonly optional?: boolean;
  readonly allow_ragged_batch?: boolean;
}

export interface TritonOutput extends TritonTensor {
  readonly label_filename?: string;
}

export interface InstanceGroup {
  /** Default: `KIND_AUTO`. */
  readonly kind?: string;
  readonly count?: number;
  readonly gpus?: readonly number[];
  readonly profile?: readonly string[];
  readonly rate_limiter?: object;
  readonly passive?: boolean;
  readonly secondary_devices?: readonly object[];
  readonly host_policy?: string;
}

export interface Accelerator {
  readonly name?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface TritonQueuePolicy {
  readonly timeout_action?: string;
  readonly default_timeout_microseconds?: number;
  readonly allow_timeout_override?: boolean;
  readonly max_queue_size?: number;
}

export interface DynamicBatching {
  readonly preferred_batch_size?: readonly number[];
  readonly max_queue_delay_microseconds?: number;
  readonly preserve_ordering?: boolean;
  readonly priority_levels?: number;
  readonly default_priority_level?: number;
  readonly default_queue_policy?: TritonQueuePolicy;
  readonly priority_queue_policy?: Readonly<Record<string, TritonQueuePolicy>>;
}

export interface TritonWarmup {
  readonly name?: string;
  readonly batch_size?: number;
  readonly count?: number;
  readonly inputs?: Readonly<Record<string, TritonWarmupInput>>;
}

export interface TritonWarmupInput {
  readonly data_type?: string;
  readonly dims?: readonly (number | string)[];
  readonly zero_data?: boolean;
  readonly random_data?: boolean;
  readonly input_data_file?: string;
}

/** Triton's name of a datatype. */
export const configType = (type: ElementType): string =>
  type === 'string' ? 'TYPE_STRING' : `TYPE_${datatypes[type]}`;

/** Whether a name is that of a file in a folder, and not a path that leads out of it. */
export const isPlainName = (file: string): boolean =>
  /^[^/\\]+$/.test(file) && file !== '..' && file !== '.';

/** Longest sentence that repeats what a configuration says, characters. */
const MAX_CHARACTERS = 1000;

/** The error for a configuration that cannot be used. It is short, however long the parts that it repeats are. */
export function wrong(name: string, what: string): ServeError {
  const message = `config.pbtxt of ${quote(name)}: ${shorten(what, MAX_CHARACTERS)}.`;
  return new ServeError('INVALID_CONFIG', message);
}
