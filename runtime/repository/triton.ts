/**
 * Reads Triton's `config.pbtxt`. A field that would change responses and is not supported is refused. A
 * field that only tunes Triton has no effect, which is noted.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { shorten } from '../../native/index.ts';
import type { ModelConfig } from './config.ts';
import { parseJsonFormat } from './json-format.ts';
import type { DeclaredTensor, RepositorySettings } from './settings.ts';
import { FormatError, type Plain, parseTextFormat } from './text-format.ts';
import {
  isPlainName,
  type TritonConfig,
  type TritonInput,
  type TritonTensor,
  wrong,
} from './triton/config.ts';
import { placement } from './triton/placement.ts';
import { queueNotes, queuePolicy, queueSizes } from './triton/queue.ts';
import { unusedFields } from './triton/unused.ts';
import { readBeside, toWarmup } from './triton/warmup.ts';

/** Most notes about one configuration. */
const MAX_NOTES = 50;

/** The schema of Triton's messages. */
export function tritonSchema(): protobuf.Root {
  const path = join(import.meta.dirname, 'model-config.proto');
  return protobuf.parse(readFileSync(path, 'utf8'), new protobuf.Root(), { keepCase: true }).root;
}

/** A `config.pbtxt`, translated. */
export interface TritonModel {
  readonly config: ModelConfig;
  readonly settings: RepositorySettings;
  /** The name of the model files, if `config.pbtxt` sets it. */
  readonly filename: string | undefined;
  /** Whether the version policy selects a version. */
  selects(version: string, all: readonly string[]): boolean;
}

/**
 * Translates a configuration.
 *
 * @param text The content of `config.pbtxt`, or the same as JSON, which starts with `{`.
 * @param folder The folder of the model, in which files that the configuration names are looked up.
 * @throws {ServeError} `INVALID_CONFIG` with the first field that is wrong or not supported.
 */
export async function readTriton(
  name: string,
  folder: string,
  text: string,
  schema: protobuf.Root,
): Promise<TritonModel> {
  const declared = parse(name, text, schema.lookupType('inference.ModelConfig'));
  const config = declared as TritonConfig;
  refuseUnsupported(name, config);
  const filename = config.default_model_filename || undefined;
  if (filename !== undefined && !isPlainName(filename)) {
    throw wrong(name, `default_model_filename ${filename} must be the name of a file`);
  }
  const { device, providerOptions, config: placed, notes } = placement(name, config);
  const threads = intraOpThreads(name, config);
  // This comes first, because it limits the number of levels that `batching` iterates over.
  const queue = queuePolicy(name, config.dynamic_batching);
  const batched = batching(config);
  return {
    config: {
      ...(batched === undefined ? {} : { batching: batched }),
      ...placed,
      ...(threads === 0 ? {} : { intra_op_threads: threads }),
    },
    settings: {
      declared,
      device,
      providerOptions,
      labels: await labels(name, folder, config),
      inputs: (config.input ?? []).map(toDeclared),
      outputs: (config.output ?? []).map(toDeclared),
      queue,
      // As in Triton, warm-ups without rows do not run.
      warmups: await Promise.all(
        (config.model_warmup ?? [])
          .filter(({ batch_size }) => batch_size)
          .map((warmup) => toWarmup(name, folder, warmup)),
      ),
      notes: limited([...notes, ...queueNotes(config.dynamic_batching), ...unusedFields(config)]),
    },
    filename,
    selects: (version, all) => selects(config.version_policy, version, all),
  };
}

/** Threads of one run; 0, as in Triton, leaves them to the engine. */
function intraOpThreads(name: string, { parameters }: TritonConfig): number {
  const text = parameters?.intra_op_thread_count?.string_value ?? '0';
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw wrong(name, `intra_op_thread_count must be a whole number but is ${shorten(text, 40)}`);
}

/** Limits the notes, which are shown and logged, because a configuration may have very many fields. */
function limited(notes: readonly string[]): readonly string[] {
  const shown = notes.slice(0, MAX_NOTES).map((note) => shorten(note, 200));
  const others = notes.length - shown.length;
  return others === 0 ? shown : [...shown, `${others} more have no effect`];
}

function parse(name: string, text: string, type: protobuf.Type): Plain {
  const read = text.trimStart().startsWith('{') ? parseJsonFormat : parseTextFormat;
  try {
    return read(text, type);
  } catch (error) {
    if (error instanceof FormatError) throw wrong(name, error.message);
    throw error;
  }
}

function refuseUnsupported(name: string, config: TritonConfig): void {
  if (config.name && config.name !== name) {
    throw wrong(
      name,
      `it names the model ${config.name}; write the name of its folder or leave it out`,
    );
  }
  const kind = config.backend || config.platform || 'onnxruntime';
  if (kind !== 'onnxruntime' && kind !== 'onnxruntime_onnx') {
    throw wrong(name, `it needs the backend ${kind}; only ONNX models are served`);
  }
  const tensors: readonly TritonInput[] = [...(config.input ?? []), ...(config.output ?? [])];
  const faults: Readonly<Record<string, unknown>> = {
    'sequence_batching (state between requests)': config.sequence_batching,
    'ensemble_scheduling (ensembles)': config.ensemble_scheduling,
    'decoupled (several responses to a request)': config.model_transaction_policy?.decoupled,
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

/** Undefined if the configuration declares neither rows nor shapes: the engine then finds out whether it can batch. */
function batching(config: TritonConfig): ModelConfig['batching'] {
  const { max_batch_size, dynamic_batching, input = [], output = [] } = config;
  const open = max_batch_size === undefined && input.length + output.length === 0;
  if (!open && !max_batch_size) return false;
  const delay = dynamic_batching?.max_queue_delay_microseconds ?? 0;
  const settings = {
    ...(max_batch_size === undefined ? {} : { maxRows: max_batch_size }),
    ...(delay > 0 ? { maxDelayMs: delay / 1000 } : {}),
    ...queueSizes(dynamic_batching),
  };
  return Object.keys(settings).length === 0 ? undefined : settings;
}

const toDeclared = ({ name = '', data_type, dims = [] }: TritonTensor): DeclaredTensor => ({
  name,
  datatype: data_type,
  dims: dims.map(Number),
});

async function labels(name: string, folder: string, { output = [] }: TritonConfig) {
  const byOutput: Record<string, readonly string[]> = Object.create(null);
  for (const { name: tensor = '', label_filename } of output) {
    if (!label_filename) continue;
    if (!isPlainName(label_filename)) {
      throw wrong(
        name,
        `label_filename ${label_filename} must be the name of a file in its folder`,
      );
    }
    const file = await readBeside(name, folder, label_filename);
    byOutput[tensor] = file.toString('utf8').replace(/\n$/, '').split(/\r?\n/);
  }
  return byOutput;
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
