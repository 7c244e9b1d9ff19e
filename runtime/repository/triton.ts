/**
 * Models as Triton keeps them: a `config.pbtxt` beside numbered versions. What changes answers and is
 * not supported is refused; what only makes Triton itself faster is left out and noted.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { ServeError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import type { ModelTerms, QueueTerms, Warmup, WarmupInput } from './terms.ts';
import { type Plain, parseTextFormat, TextFormatError } from './text-format.ts';

/** The schema of Triton's messages. */
export function tritonSchema(): protobuf.Root {
  const path = join(import.meta.dirname, 'model-config.proto');
  return protobuf.parse(readFileSync(path, 'utf8'), new protobuf.Root(), { keepCase: true }).root;
}

/** A `ModelConfig` message, as far as it is used here. */
interface TritonConfig {
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
  };
  readonly parameters?: Readonly<Record<string, { readonly string_value?: string }>>;
  readonly model_warmup?: readonly TritonWarmup[];
}

interface TritonTensor {
  readonly name?: string;
  readonly data_type?: string;
  readonly dims?: readonly (number | string)[];
  readonly reshape?: object;
  readonly is_shape_tensor?: boolean;
}

interface TritonInput extends TritonTensor {
  readonly optional?: boolean;
  readonly allow_ragged_batch?: boolean;
}

interface TritonOutput extends TritonTensor {
  readonly label_filename?: string;
}

interface InstanceGroup {
  readonly kind?: string;
  readonly count?: number;
  readonly gpus?: readonly number[];
}

interface Accelerator {
  readonly name?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

interface QueuePolicy {
  readonly timeout_action?: string;
  readonly default_timeout_microseconds?: number;
  readonly allow_timeout_override?: boolean;
  readonly max_queue_size?: number;
}

interface DynamicBatching {
  readonly max_queue_delay_microseconds?: number;
  readonly priority_levels?: number;
  readonly default_priority_level?: number;
  readonly default_queue_policy?: QueuePolicy;
  readonly priority_queue_policy?: Readonly<Record<string, QueuePolicy>>;
}

interface TritonWarmup {
  readonly batch_size?: number;
  readonly count?: number;
  readonly inputs?: Readonly<
    Record<
      string,
      {
        readonly data_type?: string;
        readonly dims?: readonly (number | string)[];
        readonly random_data?: boolean;
        readonly input_data_file?: string;
      }
    >
  >;
}

/** What a `config.pbtxt` means here. */
export interface TritonModel {
  readonly config: ModelConfig;
  readonly terms: ModelTerms;
  readonly filename: string;
  /** Which of the versions on disk are served. */
  selects(version: string, all: readonly string[]): boolean;
}

/**
 * Reads `config.pbtxt`, or the text of one that stands in for it.
 *
 * @param text Its content: text format, or JSON where it starts with `{`, as a load request gives it.
 * @throws {ServeError} `INVALID_CONFIG` with what is wrong or not supported.
 */
export function readTriton(
  name: string,
  folder: string,
  text: string,
  schema: protobuf.Root,
): TritonModel {
  const declared = parse(name, text, schema.lookupType('inference.ModelConfig'));
  const config = declared as TritonConfig;
  refuseUnsupported(name, config);
  const filename = config.default_model_filename || 'model.onnx';
  if (!isPlainName(filename)) {
    throw wrong(name, `default_model_filename ${filename} must be the name of a file`);
  }
  const notes: string[] = [];
  const { device, lanes, providerOptions } = placement(name, config, notes);
  const threads = Number(config.parameters?.intra_op_thread_count?.string_value);
  return {
    config: {
      batching: batching(config),
      ...(lanes === undefined ? {} : { lanes }),
      ...(threads >= 1 ? { intra_op_threads: threads } : {}),
    },
    terms: {
      declared,
      device,
      providerOptions,
      labels: labels(name, folder, config),
      queue: queueTerms(config.dynamic_batching),
      warmups: (config.model_warmup ?? []).map((warmup) => warmUp(name, folder, warmup)),
      notes,
    },
    filename,
    selects: (version, all) => selects(config.version_policy, version, all),
  };
}

function parse(name: string, text: string, type: protobuf.Type): Plain {
  if (text.trimStart().startsWith('{')) return fromJson(name, text, type);
  try {
    return parseTextFormat(text, type);
  } catch (error) {
    if (error instanceof TextFormatError) throw wrong(name, error.message);
    throw error;
  }
}

/** JSON by way of the message itself, which leaves out what the schema does not know. */
function fromJson(name: string, text: string, type: protobuf.Type): Plain {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong(name, 'it is not valid JSON');
  }
  const unknown = Object.keys(json as object).find((key) => !Object.hasOwn(type.fields, key));
  if (unknown !== undefined) throw wrong(name, `there is no field ${unknown}`);
  const invalid = type.verify(json as object);
  if (invalid !== null && !/enum value expected|integer/.test(invalid)) throw wrong(name, invalid);
  return type.toObject(type.fromObject(json as object), { enums: String, longs: Number });
}

function refuseUnsupported(name: string, config: TritonConfig): void {
  if (config.name && config.name !== name) {
    throw wrong(name, `it names the model ${config.name}; the folder's name is the model's`);
  }
  const kind = config.backend || config.platform || 'onnxruntime';
  if (kind !== 'onnxruntime' && kind !== 'onnxruntime_onnx') {
    throw wrong(name, `it needs the backend ${kind}; only ONNX models are served`);
  }
  const tensors: readonly TritonInput[] = [...(config.input ?? []), ...(config.output ?? [])];
  const faults: Readonly<Record<string, unknown>> = {
    'sequence_batching (state between requests)': config.sequence_batching,
    'ensemble_scheduling (ensembles)': config.ensemble_scheduling,
    'decoupled (several answers to a request)': config.model_transaction_policy?.decoupled,
    'model_operations (custom operators)': config.model_operations,
    'batch_input (ragged batches)': config.batch_input,
    'batch_output (ragged batches)': config.batch_output,
    reshape: tensors.find((tensor) => tensor.reshape),
    'allow_ragged_batch (ragged batches)': tensors.find((tensor) => tensor.allow_ragged_batch),
    'is_shape_tensor (shape tensors)': tensors.find((tensor) => tensor.is_shape_tensor),
    'optional (inputs that may be left out)': tensors.find((tensor) => tensor.optional),
  };
  const fault = Object.keys(faults).find((key) => faults[key]);
  if (fault !== undefined) throw wrong(name, `${fault} is not supported; take it out of the file`);
}

function batching({ max_batch_size = 0, dynamic_batching }: TritonConfig): ModelConfig['batching'] {
  if (max_batch_size === 0) return false;
  const delay = dynamic_batching?.max_queue_delay_microseconds ?? 0;
  const queue = dynamic_batching?.default_queue_policy?.max_queue_size ?? 0;
  return {
    maxRows: max_batch_size,
    ...(delay > 0 ? { maxDelayMs: delay / 1000 } : {}),
    ...(queue > 0 ? { maxQueue: queue } : {}),
  };
}

/** Instances are lanes here: threads that share one copy of the weights. */
function placement(name: string, config: TritonConfig, notes: string[]) {
  const groups = config.instance_group ?? [];
  const count = groups.reduce((sum, group) => sum + (group.count || 1), 0);
  const onGpu = groups.filter(({ kind }) => kind === 'KIND_GPU');
  if (onGpu.length > 0 && onGpu.length < groups.length) {
    throw wrong(name, 'instance_group mixes kinds of devices; write groups of one kind');
  }
  const accelerators = config.optimization?.execution_accelerators;
  const cpu = accelerators?.cpu_execution_accelerator?.[0];
  if (cpu !== undefined) notes.push(`the accelerator ${cpu.name} is not used on the CPU`);
  const accelerator = accelerators?.gpu_execution_accelerator?.[0];
  if (accelerator !== undefined && accelerator.name !== 'tensorrt' && accelerator.name !== 'cuda') {
    throw wrong(name, `the accelerator ${accelerator.name} is not supported; write tensorrt`);
  }
  const gpus = [...new Set(onGpu.flatMap((group) => group.gpus ?? []))];
  const where = gpus.length === 1 ? `:${gpus[0]}` : gpus.length > 1 ? ':all' : '';
  const kind = accelerator?.name === 'tensorrt' ? 'tensorrt' : 'cuda';
  const everywhere = groups.length > 0 && groups.every((group) => group.kind === 'KIND_CPU');
  return {
    device:
      onGpu.length > 0 || accelerator !== undefined ? kind + where : everywhere ? 'cpu' : undefined,
    lanes: everywhere ? count : undefined,
    providerOptions: providerOptions(kind, accelerator?.parameters ?? {}, notes),
  };
}

/** Triton's names of the options of its TensorRT accelerator, and ONNX Runtime's. */
const TENSORRT_KEYS: Readonly<Record<string, string>> = {
  max_workspace_size_bytes: 'trt_max_workspace_size',
  int8_calibration_table_name: 'trt_int8_calibration_table_name',
  int8_use_native_calibration_table: 'trt_int8_use_native_calibration_table',
};

function providerOptions(
  kind: string,
  parameters: Readonly<Record<string, string>>,
  notes: string[],
): Record<string, string> {
  const options: Record<string, string> = {};
  for (const [key, value] of Object.entries(parameters)) {
    if (key === 'precision_mode') {
      if (value !== 'FP32') options[value === 'INT8' ? 'trt_int8_enable' : 'trt_fp16_enable'] = '1';
    } else if (key in TENSORRT_KEYS || key.startsWith('trt_') || kind === 'cuda') {
      options[TENSORRT_KEYS[key] ?? key] = value;
    } else {
      notes.push(`the accelerator's parameter ${key} is not used`);
    }
  }
  return options;
}

function labels(name: string, folder: string, { output = [] }: TritonConfig) {
  const byOutput: Record<string, readonly string[]> = Object.create(null);
  for (const { name: tensor = '', label_filename } of output) {
    if (!label_filename) continue;
    if (!isPlainName(label_filename)) {
      throw wrong(
        name,
        `label_filename ${label_filename} must be the name of a file in its folder`,
      );
    }
    byOutput[tensor] = readBeside(name, folder, label_filename)
      .toString('utf8')
      .replace(/\n$/, '')
      .split(/\r?\n/);
  }
  return byOutput;
}

function queueTerms(given: DynamicBatching | undefined): QueueTerms {
  const levels = given?.priority_levels ?? 0;
  const of = (policy: QueuePolicy = {}) => {
    const timeoutMs = (policy.default_timeout_microseconds ?? 0) / 1000;
    return {
      // A request that may be late all the same has no deadline.
      timeoutMs: timeoutMs > 0 && policy.timeout_action !== 'DELAY' ? timeoutMs : undefined,
      mayShorten: policy.allow_timeout_override ?? false,
    };
  };
  const usual = of(given?.default_queue_policy);
  const byLevel = Object.entries(given?.priority_queue_policy ?? {}).map(
    ([level, policy]) => [Number(level), of(policy)] as const,
  );
  return {
    levels,
    defaultLevel: given?.default_priority_level ?? 0,
    usual,
    byLevel: new Map(byLevel),
  };
}

function warmUp(
  name: string,
  folder: string,
  { batch_size = 1, count = 0, inputs = {} }: TritonWarmup,
): Warmup {
  const made = Object.entries(inputs).map(([tensor, input]): WarmupInput => {
    const file = input.input_data_file;
    if (file !== undefined && !isPlainName(file)) {
      throw wrong(name, `input_data_file ${file} must be the name of a file in the folder warmup`);
    }
    return {
      name: tensor,
      dims: (input.dims ?? []).map(Number),
      fill: input.random_data ? 'random' : 'zero',
      ...(file === undefined ? {} : { bytes: readBeside(name, join(folder, 'warmup'), file) }),
    };
  });
  return { rows: Math.max(batch_size, 1), runs: Math.max(count, 1), inputs: made };
}

function selects(
  policy: TritonConfig['version_policy'],
  version: string,
  all: readonly string[],
): boolean {
  if (policy?.all !== undefined) return true;
  if (policy?.specific !== undefined) {
    return (policy.specific.versions ?? []).some((wanted) => String(wanted) === version);
  }
  return all.slice(-(policy?.latest?.num_versions || 1)).includes(version);
}

function readBeside(name: string, folder: string, file: string): Buffer {
  try {
    return readFileSync(join(folder, file));
  } catch {
    throw wrong(name, `the file ${file} that it names cannot be read`);
  }
}

const isPlainName = (file: string) => /^[^/\\]+$/.test(file) && file !== '..' && file !== '.';

function wrong(name: string, what: string): ServeError {
  return new ServeError('INVALID_CONFIG', `config.pbtxt of "${name}": ${what}.`);
}
