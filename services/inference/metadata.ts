/** @module Metadata of the server and its models, and configurations of models. */

import manifest from '../../package.json' with { type: 'json' };
import { configType, datatypes, type ModelVersion, type ServedModel } from '../../runtime/index.ts';
import { decodedBy, shownSignature } from './images.ts';

/** The `platform` of every model. */
const PLATFORM = 'onnxruntime_onnx';

/** The supported extensions of the protocol. */
const EXTENSIONS = [
  'classification',
  'model_repository',
  'schedule_policy',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
] as const;

/** The server metadata of the protocol. */
export function serverMetadata() {
  return { name: manifest.name, version: manifest.version, extensions: EXTENSIONS };
}

/** The model metadata of the protocol. Dynamic dimensions, also the batch dimension, are -1. */
export function modelMetadata(model: ServedModel, version: ModelVersion) {
  const { inputs, outputs } = shownSignature(version);
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

/** A `ModelConfig` as JSON: the model's `config.pbtxt`, with missing fields from its signature. */
export function modelConfig(model: ServedModel, version: ModelVersion): Record<string, unknown> {
  const { signature, settings, instances } = version;
  const { inputs, outputs, batched } = shownSignature(version);
  const tensors = (specs: typeof inputs) =>
    specs.map(({ name, type, dims }) => ({
      name,
      data_type: configType(type),
      dims: batched ? dims.slice(1) : dims,
    }));
  const own = {
    max_batch_size: batched ? signature.batching.maxRows : 0,
    input: tensors(inputs),
    output: tensors(outputs),
  };
  return {
    name: model.name,
    platform: PLATFORM,
    backend: 'onnxruntime',
    version_policy: { all: {} },
    ...own,
    ...(batched ? { dynamic_batching: {} } : {}),
    instance_group: [
      {
        name: `${model.name}_0`,
        kind: version.device.device === 'cpu' ? 'KIND_CPU' : 'KIND_GPU',
        count: instances,
      },
    ],
    default_model_filename: version.file,
    ...settings.declared,
    // A config.pbtxt declares the tensors of the graph.
    ...(decodedBy(version) && own),
  };
}
