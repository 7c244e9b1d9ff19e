/** @module What the protocol tells about the server and its models. */

import manifest from '../../package.json' with { type: 'json' };
import { configType, datatypes, type ModelVersion, type ServedModel } from '../../runtime/index.ts';

/** The `platform` of every model here. */
const PLATFORM = 'onnxruntime_onnx';

/** Names of the protocol's extensions that are there; only these. */
const EXTENSIONS = [
  'classification',
  'model_repository',
  'schedule_policy',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
] as const;

export function serverMetadata() {
  return { name: manifest.name, version: manifest.version, extensions: EXTENSIONS };
}

/** Names, datatypes and shapes; a dimension that is open is -1, and so is that of the rows. */
export function modelMetadata(model: ServedModel, version: ModelVersion) {
  const { inputs, outputs } = version.signature;
  const tensors = (specs: typeof inputs) =>
    specs.map(({ name, type, dims }) => ({ name, datatype: datatypes[type], shape: dims }));
  return {
    name: model.name,
    versions: model.loaded().map((loaded) => loaded.version),
    platform: PLATFORM,
    inputs: tensors(inputs),
    outputs: tensors(outputs),
  };
}

/** A `ModelConfig` as JSON: what the model's own file says, completed from its signature. */
export function modelConfig(model: ServedModel, version: ModelVersion): Record<string, unknown> {
  const { signature, settings, instances } = version;
  const { enabled, maxRows } = signature.batching;
  const tensors = (specs: typeof signature.inputs) =>
    specs.map(({ name, type, dims }) => ({
      name,
      data_type: configType(type),
      dims: enabled ? dims.slice(1) : dims,
    }));
  return {
    name: model.name,
    platform: PLATFORM,
    backend: 'onnxruntime',
    version_policy: { all: {} },
    max_batch_size: enabled ? maxRows : 0,
    input: tensors(signature.inputs),
    output: tensors(signature.outputs),
    ...(enabled ? { dynamic_batching: {} } : {}),
    instance_group: [
      {
        name: `${model.name}_0`,
        kind: version.device.device === 'cpu' ? 'KIND_CPU' : 'KIND_GPU',
        count: instances,
      },
    ],
    default_model_filename: 'model.onnx',
    ...settings.declared,
  };
}
