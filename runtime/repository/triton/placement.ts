/** @module Converts the instance groups and accelerators of a Triton model to a device and a number of instances. */

import type { ModelConfig } from '../config.ts';
import type { RepositorySettings } from '../settings.ts';
import { type InstanceGroup, type TritonConfig, wrong } from './config.ts';

export interface Placement extends Pick<RepositorySettings, 'device' | 'providerOptions'> {
  /** The keys of the model's configuration that follow from the placement. */
  readonly config: Pick<ModelConfig, 'instances' | 'device_options'>;
  readonly notes: readonly string[];
}

/** The number of instances on a GPU if none is declared, and the maximum. */
const DEFAULT_SLOTS = 2;
const MAX_SLOTS = 8;

/**
 * On the CPU the instances of all groups are counted together: they are threads that share one copy of the weights. On
 * a GPU an instance is a batch in flight.
 *
 * @throws {ServeError} `INVALID_CONFIG`
 */
export function placement(name: string, config: TritonConfig): Placement {
  const groups = (config.instance_group ?? []).filter(({ passive }) => !passive);
  const kinds = new Set(groups.map(({ kind = 'KIND_AUTO' }) => kind));
  if (kinds.has('KIND_GPU') && kinds.size > 1) {
    throw wrong(name, 'instance_group mixes kinds of devices; write groups of one kind');
  }
  const onCpu = kinds.size === 1 && kinds.has('KIND_CPU');
  const accelerators = config.optimization?.execution_accelerators;
  const notes = (accelerators?.cpu_execution_accelerator ?? []).map(
    (accelerator) => `The accelerator ${accelerator.name} is not used on the CPU`,
  );
  const [accelerator] = accelerators?.gpu_execution_accelerator ?? [];
  if (accelerator !== undefined && accelerator.name !== 'tensorrt' && accelerator.name !== 'cuda') {
    throw wrong(name, `the accelerator ${accelerator.name} is not supported; write tensorrt`);
  }
  if (onCpu && accelerator !== undefined) {
    notes.push(`The accelerator ${accelerator.name} is not used: its instances are on the CPU`);
  }
  if (onCpu || (!kinds.has('KIND_GPU') && accelerator === undefined)) {
    const instances = instanceCount(groups, onCpu);
    if (groups.some(({ gpus }) => gpus?.length)) {
      notes.push('The gpus of an instance_group that is not of KIND_GPU are not used');
    }
    return {
      device: onCpu ? 'cpu' : undefined,
      providerOptions: {},
      config: instances === undefined ? {} : { instances },
      notes,
    };
  }
  const device = accelerator?.name === 'tensorrt' ? 'tensorrt' : 'cuda';
  const parameters = accelerator?.parameters ?? {};
  return {
    device: device + where(groups, notes),
    providerOptions: providerOptions(device, parameters, notes),
    config: slots(groups, notes),
    notes,
  };
}

const instances = (groups: readonly InstanceGroup[]): number =>
  groups.reduce((sum, { count }) => sum + (count || 1), 0);

/** Without a count the number of instances is measured while the model loads. */
function instanceCount(groups: readonly InstanceGroup[], onCpu: boolean): number | undefined {
  return onCpu || groups.some(({ count }) => count) ? instances(groups) : undefined;
}

/** The suffix of the device: a model runs on one GPU or on all of them, and on no other selection. */
function where(groups: readonly InstanceGroup[], notes: string[]): string {
  const gpus = [...new Set(groups.flatMap((group) => group.gpus ?? []))];
  if (gpus.length > 1) notes.push(`The gpus ${gpus.join(', ')} mean every GPU there is`);
  return gpus.length === 1 ? `:${gpus[0]}` : gpus.length > 1 ? ':all' : '';
}

/** Fewer instances than the default would leave the GPU idle while inputs are copied to it. */
function slots(groups: readonly InstanceGroup[], notes: string[]): Placement['config'] {
  const wanted = Math.max(0, ...groups.map(({ count }) => count ?? 0));
  if (wanted > MAX_SLOTS) notes.push(`A GPU has at most ${MAX_SLOTS} instances, not ${wanted}`);
  return wanted <= DEFAULT_SLOTS ? {} : { device_options: { slots: Math.min(wanted, MAX_SLOTS) } };
}

/** Options of Triton's TensorRT accelerator that have another name in ONNX Runtime. */
const TENSORRT_KEYS: Readonly<Record<string, string>> = {
  max_workspace_size_bytes: 'trt_max_workspace_size',
  int8_calibration_table_name: 'trt_int8_calibration_table_name',
  int8_use_native_calibration_table: 'trt_int8_use_native_calibration_table',
};

function providerOptions(
  device: string,
  parameters: Readonly<Record<string, string>>,
  notes: string[],
): Record<string, string> {
  const options: Record<string, string> = {};
  for (const [key, value] of Object.entries(parameters)) {
    if (key === 'precision_mode') {
      if (value !== 'FP32') options[value === 'INT8' ? 'trt_int8_enable' : 'trt_fp16_enable'] = '1';
    } else if (Object.hasOwn(TENSORRT_KEYS, key) || key.startsWith('trt_') || device === 'cuda') {
      options[TENSORRT_KEYS[key] ?? key] = value;
    } else {
      notes.push(`The accelerator's parameter ${key} is not used`);
    }
  }
  return options;
}
