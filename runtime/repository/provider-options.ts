/**
 * Options of execution providers that a client may set in a load request or a registration. Others name files or libraries that the
 * server would write or load, or contain memory addresses. The owner of the repository may set them all.
 *
 * @module
 */

import { ServeError } from '../errors.ts';

const CUDA = [
  'arena_extend_strategy',
  'cudnn_conv1d_pad_to_nc1d',
  'cudnn_conv_algo_search',
  'cudnn_conv_use_max_workspace',
  'do_copy_in_default_stream',
  'enable_skip_layer_norm_strict_mode',
  'fuse_conv_bias',
  'gpu_mem_limit',
  'prefer_nhwc',
  'sdpa_kernel',
  'tunable_op_enable',
  'tunable_op_max_tuning_duration_ms',
  'tunable_op_tuning_enable',
  'use_tf32',
];

const TENSORRT = [
  'trt_auxiliary_streams',
  'trt_bf16_enable',
  'trt_build_heuristics_enable',
  'trt_builder_optimization_level',
  'trt_context_memory_sharing_enable',
  'trt_detailed_build_log',
  'trt_dla_core',
  'trt_dla_enable',
  'trt_engine_hw_compatible',
  'trt_force_sequential_engine_build',
  'trt_fp16_enable',
  'trt_int8_enable',
  'trt_int8_use_native_calibration_table',
  'trt_layer_norm_fp32_fallback',
  'trt_max_partition_iterations',
  'trt_max_workspace_size',
  'trt_min_subgraph_size',
  'trt_op_types_to_exclude',
  'trt_profile_max_shapes',
  'trt_profile_min_shapes',
  'trt_profile_opt_shapes',
  'trt_sparsity_enable',
  'trt_tactic_sources',
];

const SAFE: ReadonlySet<string> = new Set([...CUDA, ...TENSORRT]);

/** @throws {ServeError} `INVALID_CONFIG` for an option that only the owner of the repository may set. */
export function refuseUnsafeOptions(
  model: string,
  options: Readonly<Record<string, unknown>>,
): void {
  const unsafe = Object.keys(options).find((key) => !SAFE.has(key));
  if (unsafe === undefined) return;
  throw new ServeError(
    'INVALID_CONFIG',
    `The configuration of '${model}' sets the provider option ${unsafe}, which a client may not set; write it into the repository.`,
  );
}
