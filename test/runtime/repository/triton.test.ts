/** @module What a `config.pbtxt` means: devices and instances, queues, warm-ups, and what has no effect. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { allowedTimeout, tritonSchema } from '../../../runtime/repository/index.ts';
import { readTriton } from '../../../runtime/repository/triton.ts';

const schema = tritonSchema();
const read = (text: string) => readTriton('m', '/nowhere', text, schema);

const refuses = (text: string, message: RegExp) =>
  assert.rejects(read(text), (error: unknown) => {
    assert.ok(error instanceof ServeError && error.code === 'INVALID_CONFIG');
    assert.match(error.message, message);
    return true;
  });

describe('max_batch_size', () => {
  const batching = async (text: string) => (await read(text)).config.batching;

  test('is the value in the file, where 0 turns batching off', async () => {
    assert.deepEqual(await batching('max_batch_size: 8'), { maxRows: 8 });
    assert.equal(await batching('max_batch_size: 0'), false);
    assert.equal(await batching('{"max_batch_size": 0}'), false);
  });

  test('is found out by the engine if it is left out, but means 0 if the file describes shapes', async () => {
    assert.equal(await batching('name: "m"'), undefined);
    assert.equal(await batching('{}'), undefined);
    const delay = 'dynamic_batching { max_queue_delay_microseconds: 500 }';
    assert.deepEqual(await batching(delay), { maxDelayMs: 0.5 });
    assert.equal(await batching('input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] }'), false);
  });
});

describe('instance groups', () => {
  /** For each text: the device and the configuration that result from it, and its notes. */
  const cases: Readonly<
    Record<string, readonly [string, string | undefined, object, (readonly RegExp[])?]>
  > = {
    none: ['', undefined, {}],
    'on the CPU': ['instance_group { kind: KIND_CPU count: 3 }', 'cpu', { instances: 3 }],
    'on the CPU, without a count': ['instance_group { kind: KIND_CPU }', 'cpu', { instances: 1 }],
    'two groups on the CPU': [
      'instance_group [ { kind: KIND_CPU count: 3 }, { kind: KIND_CPU count: 2 } ]',
      'cpu',
      { instances: 5 },
    ],
    'on a GPU': ['instance_group { kind: KIND_GPU }', 'cuda', {}],
    'on a certain GPU': ['instance_group { kind: KIND_GPU gpus: 1 }', 'cuda:1', {}],
    'the same GPU twice': [
      'instance_group [ { kind: KIND_GPU gpus: 1 }, { kind: KIND_GPU gpus: 1 } ]',
      'cuda:1',
      {},
    ],
    'on several GPUs': [
      'instance_group { kind: KIND_GPU gpus: [ 0, 2 ] }',
      'cuda:all',
      {},
      [/gpus 0, 2 mean every GPU/],
    ],
    'on a GPU, the default number': ['instance_group { kind: KIND_GPU count: 2 }', 'cuda', {}],
    'on a GPU, more than the default': [
      'instance_group { kind: KIND_GPU count: 4 }',
      'cuda',
      { device_options: { slots: 4 } },
    ],
    'on a GPU, more than the limit': [
      'instance_group { kind: KIND_GPU count: 20 }',
      'cuda',
      { device_options: { slots: 8 } },
      [/at most 8 instances, not 20/],
    ],
    'on any device, without a count': ['instance_group { name: "a" }', undefined, {}],
    'on any device, with a count': [
      'instance_group { kind: KIND_AUTO count: 2 }',
      undefined,
      { instances: 2 },
    ],
    'on any device, with a list of GPUs': [
      'instance_group { gpus: [ 0 ] }',
      undefined,
      {},
      [/gpus of an instance_group that is not of KIND_GPU are not used/],
    ],
    'on the device that the model chooses': [
      'instance_group { kind: KIND_MODEL count: 2 }',
      undefined,
      { instances: 2 },
    ],
    'on the CPU and on any device': [
      'instance_group [ { kind: KIND_CPU }, { kind: KIND_AUTO count: 2 } ]',
      undefined,
      { instances: 3 },
    ],
    'with fields that only tune Triton': [
      `instance_group {
        kind: KIND_CPU profile: "0" host_policy: "numa" rate_limiter { priority: 2 }
        secondary_devices { kind: KIND_NVDLA }
      }`,
      'cpu',
      { instances: 1 },
      [/profile/, /rate_limiter/, /secondary_devices/, /host_policy/],
    ],
    'with a passive group': [
      'instance_group [ { kind: KIND_CPU count: 2 }, { kind: KIND_GPU passive: true } ]',
      'cpu',
      { instances: 2 },
      [/passive has no effect/],
    ],
  };
  for (const [name, [text, device, config, notes = []]] of Object.entries(cases)) {
    test(name, async () => {
      const model = await read(`max_batch_size: 4 ${text}`);
      assert.equal(model.settings.device, device);
      assert.deepEqual(model.config, { batching: { maxRows: 4 }, ...config });
      assert.equal(model.settings.notes.length, notes.length, model.settings.notes.join('\n'));
      for (const [i, note] of notes.entries()) assert.match(model.settings.notes[i]!, note);
    });
  }

  test('of several kinds are refused', async () => {
    await refuses(
      'instance_group [ { kind: KIND_GPU }, { kind: KIND_CPU } ]',
      /mixes kinds of devices/,
    );
  });
});

describe('accelerators', () => {
  const gpu = (accelerator: string) =>
    `optimization { execution_accelerators { gpu_execution_accelerator { ${accelerator} } } }`;

  test('of TensorRT take its options by Triton’s names, and other parameters are noted', async () => {
    const { settings } = await read(
      gpu(`name: "tensorrt"
        parameters { key: "precision_mode" value: "FP16" }
        parameters { key: "max_workspace_size_bytes" value: "1024" }
        parameters { key: "trt_engine_hw_compatible" value: "1" }
        parameters { key: "other" value: "1" }`),
    );
    assert.equal(settings.device, 'tensorrt');
    assert.deepEqual(settings.providerOptions, {
      trt_fp16_enable: '1',
      trt_max_workspace_size: '1024',
      trt_engine_hw_compatible: '1',
    });
    assert.deepEqual(settings.notes, ["The accelerator's parameter other is not used"]);
  });

  test('of CUDA are used on the GPU of the instances', async () => {
    const { settings } = await read(
      `${gpu('name: "cuda" parameters { key: "cudnn_conv_algo_search" value: "HEURISTIC" }')}
       instance_group { kind: KIND_GPU gpus: 1 }`,
    );
    assert.equal(settings.device, 'cuda:1');
    assert.deepEqual(settings.providerOptions, { cudnn_conv_algo_search: 'HEURISTIC' });
  });

  test('of a GPU have no effect on instances on the CPU, which is noted', async () => {
    const { settings } = await read(`${gpu('name: "tensorrt"')} instance_group { kind: KIND_CPU }`);
    assert.equal(settings.device, 'cpu');
    assert.deepEqual(settings.providerOptions, {});
    assert.match(settings.notes.join(), /tensorrt is not used: its instances are on the CPU/);
  });

  test('of the CPU are noted, and unknown ones are refused', async () => {
    const cpu =
      'optimization { execution_accelerators { cpu_execution_accelerator { name: "openvino" } } }';
    assert.deepEqual((await read(cpu)).settings.notes, [
      'The accelerator openvino is not used on the CPU',
    ]);
    await refuses(gpu('name: "auto_io"'), /accelerator auto_io is not supported/);
  });
});

describe('queues', () => {
  const queue = async (policies: string) =>
    (await read(`dynamic_batching { ${policies} }`)).settings.queue;

  test('a request can shorten the timeout only with allow_timeout_override', async () => {
    const policy = (more: string) =>
      queue(`default_queue_policy { default_timeout_microseconds: 2000 ${more} }`);
    const fixed = await policy('');
    const open = await policy('allow_timeout_override: true');
    assert.deepEqual(
      [undefined, 1, 9].map((wanted) => allowedTimeout(fixed, 0, wanted)),
      [2, 2, 2],
    );
    assert.deepEqual(
      [undefined, 1, 9].map((wanted) => allowedTimeout(open, 0, wanted)),
      [2, 1, 2],
    );
  });

  test('without a default timeout a request sets its own, and with DELAY no timeout applies', async () => {
    const plain = await queue('');
    assert.deepEqual(
      [undefined, 9].map((wanted) => allowedTimeout(plain, 0, wanted)),
      [undefined, 9],
    );
    const delay = await queue(`default_queue_policy {
      timeout_action: DELAY default_timeout_microseconds: 2000 allow_timeout_override: true
    }`);
    assert.deepEqual(
      [undefined, 1].map((wanted) => allowedTimeout(delay, 0, wanted)),
      [undefined, undefined],
    );
  });

  test('a priority level can have a policy of its own', async () => {
    const settings = await queue(`priority_levels: 3 default_priority_level: 2
      default_queue_policy { default_timeout_microseconds: 9000 }
      priority_queue_policy { key: 1 value { default_timeout_microseconds: 1000 } }`);
    assert.deepEqual([settings.levels, settings.defaultLevel], [3, 2]);
    assert.deepEqual(
      [1, 2, 3].map((level) => allowedTimeout(settings, level, undefined)),
      [1, 9, 9],
    );
  });

  test('levels that contradict each other are refused', async () => {
    const levels = (text: string, message: RegExp) =>
      refuses(`dynamic_batching { ${text} }`, message);
    await levels('priority_levels: 2', /default_priority_level must be from 1 to 2 but is 0/);
    await levels('priority_levels: 2 default_priority_level: 3', /from 1 to 2 but is 3/);
    await levels('default_priority_level: 1', /left out without priority_levels/);
    await levels('priority_levels: 300 default_priority_level: 1', /at most 256 but is 300/);
    // So many levels would fill the memory if they were listed before their number is checked.
    await levels('priority_levels: 4294967295', /at most 256 but is 4294967295/);
    await levels(
      'priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 value { } }',
      /names the level 3 of 2/,
    );
  });

  test('a number of threads that is not a whole number is refused', async () => {
    for (const text of ['abc', '-3', '1e9', '']) {
      await refuses(
        `parameters { key: "intra_op_thread_count" value { string_value: "${text}" } }`,
        /intra_op_thread_count must be a whole number/,
      );
    }
  });

  test('max_queue_size is the limit of each level, and 0 is no limit', async () => {
    const batching = async (policies: string) =>
      (await read(`max_batch_size: 4 dynamic_batching { ${policies} }`)).config.batching;
    const size = (most: number) => `default_queue_policy { max_queue_size: ${most} }`;
    const levels = 'priority_levels: 2 default_priority_level: 2';
    const first = (most: number) =>
      `priority_queue_policy { key: 1 value { max_queue_size: ${most} } }`;
    const cases: readonly (readonly [string, object])[] = [
      [size(7), { maxQueue: 7 }],
      [size(0), {}],
      [size(100_000), { maxQueue: 65_536 }],
      [levels, {}],
      [`${levels} ${size(7)}`, { maxQueue: 14, maxQueueByPriority: [7, 7] }],
      [`${levels} ${size(7)} ${first(3)}`, { maxQueue: 10, maxQueueByPriority: [3, 7] }],
      [`${levels} ${size(7)} ${first(0)}`, { maxQueueByPriority: [0, 7] }],
      [`${levels} ${first(3)}`, { maxQueueByPriority: [3, 0] }],
    ];
    for (const [policies, wanted] of cases) {
      assert.deepEqual(await batching(policies), { maxRows: 4, ...wanted }, policies);
    }
  });

  test('values of a policy that cannot be applied are noted', async () => {
    const notes = async (policy: string) =>
      (await read(`dynamic_batching { default_queue_policy { ${policy} } }`)).settings.notes.join();
    assert.match(await notes('timeout_action: DELAY'), /keep their place/);
    assert.match(await notes('max_queue_size: 100000'), /more than 65536 is 65536/);
    assert.equal(await notes('max_queue_size: 7'), '');
  });
});

test('warm-ups are read as in Triton: random_data has an effect even if it is false, and no batch_size means no run', async () => {
  const { warmups } = (
    await read(`
    model_warmup {
      name: "a" batch_size: 2 count: 3
      inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 3 ] random_data: false } }
    }
    model_warmup { name: "b" batch_size: 1 inputs { key: "x" value { zero_data: true } } }
    model_warmup { name: "c" }`)
  ).settings;
  assert.deepEqual(warmups, [
    {
      name: 'a',
      rows: 2,
      runs: 3,
      inputs: [{ name: 'x', datatype: 'TYPE_FP32', dims: [3], data: 'random' }],
    },
    {
      name: 'b',
      rows: 1,
      runs: 1,
      inputs: [{ name: 'x', datatype: undefined, dims: [], data: 'zero' }],
    },
  ]);
  const file = (name: string) =>
    `model_warmup { batch_size: 1 inputs { key: "x" value { input_data_file: "${name}" } } }`;
  await refuses(
    'model_warmup { batch_size: 1 count: 101 }',
    /model_warmup\.count must be at most 100 but is 101/,
  );
  await refuses(file('no.bin'), /no\.bin that it names cannot be read/);
  await refuses(file('../no.bin'), /must be the name of a file in the folder warmup/);
});

test('fields that only tune Triton are noted by name', async () => {
  const { notes } = (
    await read(`
    dynamic_batching { preferred_batch_size: [ 4 ] preserve_ordering: true }
    optimization { graph { level: 1 } input_pinned_memory { enable: true } }
    parameters { key: "enable_mem_arena" value { string_value: "1" } }
    parameters { key: "intra_op_thread_count" value { string_value: "2" } }
    response_cache { enable: true }
    metric_tags { key: "a" value: "b" }`)
  ).settings;
  assert.deepEqual(
    notes.map((note) => note.split(' ')[0]),
    [
      'dynamic_batching.preferred_batch_size',
      'dynamic_batching.preserve_ordering',
      'optimization.graph',
      'optimization.input_pinned_memory',
      'parameters.enable_mem_arena',
      'metric_tags',
      'response_cache',
    ],
  );
});

test('a configuration as Triton itself returns it, with all its empty fields, is accepted', async () => {
  const returned = {
    name: 'm',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    runtime: '',
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: 8,
    input: [
      {
        ...{ name: 'x', data_type: 'TYPE_FP32', format: 'FORMAT_NONE', dims: [3] },
        ...{ is_shape_tensor: false, allow_ragged_batch: false, optional: false },
        is_non_linear_format_io: false,
      },
    ],
    output: [
      {
        ...{ name: 'y', data_type: 'TYPE_FP32', dims: ['3'], label_filename: '' },
        ...{ is_shape_tensor: false, is_non_linear_format_io: false },
      },
    ],
    batch_input: [],
    batch_output: [],
    instance_group: [
      {
        ...{ name: 'm', kind: 'KIND_CPU', count: 2, gpus: [], secondary_devices: [] },
        ...{ profile: [], passive: false, host_policy: '' },
      },
    ],
    default_model_filename: 'model.onnx',
    cc_model_filenames: {},
    metric_tags: {},
    parameters: {},
    model_warmup: [],
    dynamic_batching: { preferred_batch_size: [], max_queue_delay_microseconds: 0 },
    model_transaction_policy: { decoupled: false },
  };
  const { config, settings } = await read(JSON.stringify(returned));
  assert.deepEqual(config, { batching: { maxRows: 8 }, instances: 2 });
  assert.deepEqual(settings.notes, []);
  assert.deepEqual(settings.inputs, [{ name: 'x', datatype: 'TYPE_FP32', dims: [3] }]);
});
