/** @module Fields of `config.pbtxt` that have no effect, because they only tune Triton. */

import type { TritonConfig } from './config.ts';

/** Parameters of Triton's ONNX Runtime backend that are used. */
const USED_PARAMETERS = ['intra_op_thread_count'];

/** A sentence for each field that is set and not used. */
export function unusedFields(config: TritonConfig): string[] {
  const { instance_group = [], dynamic_batching = {}, optimization = {}, parameters = {} } = config;
  const { execution_accelerators: _, ...tuning } = optimization;
  const fields: Readonly<Record<string, unknown>> = {
    'dynamic_batching.preferred_batch_size': dynamic_batching.preferred_batch_size,
    'dynamic_batching.preserve_ordering': dynamic_batching.preserve_ordering,
    'instance_group.profile': instance_group.some(({ profile }) => profile?.length),
    'instance_group.rate_limiter': instance_group.some((group) => group.rate_limiter),
    'instance_group.secondary_devices': instance_group.some((group) => group.secondary_devices),
    'instance_group.host_policy': instance_group.some((group) => group.host_policy),
    'An instance_group that is passive': instance_group.some(({ passive }) => passive),
    ...prefixed('optimization', tuning),
    ...prefixed('parameters', parameters, USED_PARAMETERS),
    cc_model_filenames: config.cc_model_filenames,
    metric_tags: config.metric_tags,
    model_repository_agents: config.model_repository_agents,
    response_cache: config.response_cache?.enable,
    model_metrics: config.model_metrics,
  };
  return Object.keys(fields)
    .filter((field) => fields[field])
    .map((field) => `${field} has no effect`);
}

const prefixed = (prefix: string, fields: object, used: readonly string[] = []) =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([field]) => !used.includes(field))
      .map(([field, value]) => [`${prefix}.${field}`, value]),
  );
