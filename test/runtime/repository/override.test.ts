/** @module Load requests with a configuration: what a client may set, and how much of it messages repeat. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { Repository } from '../../../runtime/repository/index.ts';
import { temporaryFiles } from '../../support/files.ts';

/** The model that a load request with this configuration finds in a repository that has a model `m`. */
async function find(config: string, name = 'm', files: Record<string, string> = {}) {
  using folder = temporaryFiles({ 'm/1/model.onnx': '' });
  const bytes = Object.entries(files).map(
    ([path, text]) => [path, new TextEncoder().encode(text)] as const,
  );
  return await (await Repository.open(folder.path)).find(name, { config, files: new Map(bytes) });
}

async function reasonOf(config: string): Promise<string> {
  const found = (await find(config))!;
  assert.ok(found.config instanceof ServeError, config);
  assert.equal(found.config.code, 'INVALID_CONFIG');
  return found.config.message;
}

const withOptions = (accelerator: string, options: Readonly<Record<string, string>>) =>
  JSON.stringify({
    instance_group: [{ kind: 'KIND_GPU' }],
    optimization: {
      execution_accelerators: {
        gpu_execution_accelerator: [{ name: accelerator, parameters: options }],
      },
    },
  });

describe('options of an execution provider', () => {
  for (const [accelerator, option] of [
    ['tensorrt', 'trt_engine_cache_path'],
    ['tensorrt', 'trt_timing_cache_path'],
    ['tensorrt', 'trt_engine_decryption_lib_path'],
    ['tensorrt', 'trt_extra_plugin_lib_paths'],
    ['tensorrt', 'trt_onnx_model_folder_path'],
    ['tensorrt', 'trt_ep_context_file_path'],
    ['tensorrt', 'trt_int8_calibration_table_name'],
    ['tensorrt', 'int8_calibration_table_name'],
    ['tensorrt', 'trt_dump_subgraphs'],
    ['cuda', 'user_compute_stream'],
    ['cuda', 'gpu_external_alloc'],
    ['cuda', 'an_option_of_a_later_release'],
  ] as const) {
    test(`${option} cannot be set by a load request`, async () => {
      const message = await reasonOf(withOptions(accelerator, { [option]: '/tmp/x' }));
      assert.match(message, /which a client may not set; write it into the repository/);
      assert.doesNotMatch(message, /\/tmp/);
    });
  }

  test('that only tune it can be set by a load request', async () => {
    const options = { trt_max_workspace_size: '1', trt_builder_optimization_level: '5' };
    const tensorrt = (await find(withOptions('tensorrt', { ...options, precision_mode: 'FP16' })))!;
    assert.deepEqual(tensorrt.settings.providerOptions, { ...options, trt_fp16_enable: '1' });
    const cuda = { gpu_mem_limit: '1', cudnn_conv_algo_search: 'HEURISTIC' };
    assert.deepEqual((await find(withOptions('cuda', cuda)))!.settings.providerOptions, cuda);
  });

  test('can all be set by the configuration in the repository', async () => {
    const config = withOptions('tensorrt', { trt_engine_cache_path: '/cache' });
    using folder = temporaryFiles({ 'm/config.pbtxt': config, 'm/1/model.onnx': '' });
    const [model] = (await (await Repository.open(folder.path)).scan()).models;
    assert.deepEqual(model!.settings.providerOptions, { trt_engine_cache_path: '/cache' });
  });
});

describe('a response stays short, whatever the length of', () => {
  const long = 'x'.repeat(60_000);
  for (const [what, config] of [
    ['a field', `${long}: 1`],
    ['a value', `max_batch_size: ${long}`],
    ['a name', JSON.stringify({ name: long })],
    ['a backend', JSON.stringify({ backend: long })],
    ['a file', JSON.stringify({ default_model_filename: `../${long}` })],
    ['a key', JSON.stringify({ parameters: { [long]: 7 } })],
    ['a number', `max_batch_size: ${'9'.repeat(60_000)}`],
  ] as const) {
    test(what, async () => assert.ok((await reasonOf(config)).length < 1200));
  }

  test('the whole configuration', async () => {
    assert.match(await reasonOf(' '.repeat(1_000_000)), /1000000 characters, and at most 65536/);
  });

  test('the list of notes', async () => {
    const keys = Array.from({ length: 1000 }, (_, i) => [`${i}${'y'.repeat(40)}`, {}]);
    const { notes } = (await find(JSON.stringify({ parameters: Object.fromEntries(keys) })))!
      .settings;
    assert.equal(notes.length, 51);
    assert.equal(notes.at(-1), '950 more have no effect');
  });
});

test('a model name cannot lead out of the repository', async () => {
  const files = { '1/model.onnx': 'x' };
  for (const name of ['..', '.', '../m', 'a/b', 'a\\b', '.hidden', '']) {
    assert.equal(await find('{}', name, files), undefined, name);
  }
  assert.equal((await find('{}', 'new', files))!.versions[0]!.version, '1');
});
