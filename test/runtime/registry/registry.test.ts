import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MillraceError } from '../../../native/errors.ts';
import { createRuntime, ServeError } from '../../../runtime/index.ts';
import { PuppetEngine, puppetClassifier } from '../../support/puppet-engine.ts';
import { type TestModel, testRepository } from '../../support/repository.ts';
import { infer, testConfig, testService } from '../../support/service.ts';

const versions = { '1': '', '2': '', '10': '' };
const row = { model: undefined, features: [1, 2, 3, 4] };

/** The version that serves a request for `version` of a model with this configuration. */
async function versionFor(config: object, version: string | undefined, random = 0) {
  using service = await testService({ models: { m: { config, versions } }, random: () => random });
  return (await infer(service.runtime, { ...row, version })).version;
}

const rejects = (promise: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof ServeError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

describe('the version that serves a request', () => {
  test('is the one that the request names', async () =>
    assert.equal(await versionFor({}, '2'), '2'));
  test('is the newest one, in natural order, if the request names none', async () => {
    assert.equal(await versionFor({}, undefined), '10');
  });
  test('is the default version if the request names none', async () => {
    assert.equal(await versionFor({ default_version: '2' }, undefined), '2');
  });
  test('is the one of the label that the request names', async () => {
    assert.equal(await versionFor({ version_labels: { stable: '1' } }, 'stable'), '1');
  });
  test('is drawn by the weights of a traffic split', async () => {
    const config = { traffic: { '1': 3, '2': 1 } };
    assert.equal(await versionFor(config, undefined, 0), '1');
    assert.equal(await versionFor(config, undefined, 0.74), '1');
    assert.equal(await versionFor(config, undefined, 0.76), '2');
  });
  test('cannot be an unknown one, and the error lists the others', async () => {
    const config = { version_labels: { stable: '1' } };
    const message = /^Model 'm' has no version '3'; available: '1', '2', '10', 'stable'\.$/;
    await rejects(versionFor(config, '3'), 'VERSION_NOT_FOUND', message);
    await rejects(versionFor({}, 'constructor'), 'VERSION_NOT_FOUND', /no version 'constructor'/);
  });
});

describe('the model that serves a request', () => {
  const models: Record<string, TestModel> = { a: { versions }, b: { versions } };
  const ask = async (model: string | undefined, options: Parameters<typeof testService>[0]) => {
    using service = await testService(options);
    return (await infer(service.runtime, { ...row, model, version: undefined })).model;
  };

  test('is the one that the request names', async () =>
    assert.equal(await ask('b', { models }), 'b'));
  test('is the only one if the request names none', async () =>
    assert.equal(await ask(undefined, { models: { a: models.a! } }), 'a'));
  test('is the one that DEFAULT_MODEL names', async () => {
    assert.equal(await ask(undefined, { models, config: { defaultModel: 'b' } }), 'b');
  });
  test('is the one whose model.json makes it the default', async () => {
    const marked = { ...models, c: { config: { default: true }, versions } };
    assert.equal(await ask(undefined, { models: marked }), 'c');
  });
  test('must be named if there are several and no default', async () => {
    await rejects(
      ask(undefined, { models }),
      'INVALID_ARGUMENT',
      /^The field 'model' is missing; write one of 'a', 'b'\.$/,
    );
  });
  test('cannot be an unknown one, and the error lists the others', async () => {
    await rejects(
      ask('z', { models }),
      'MODEL_NOT_FOUND',
      /^There is no model 'z'; available: 'a', 'b'\.$/,
    );
    await rejects(ask(undefined, { models: {} }), 'MODEL_NOT_FOUND', /holds no model/);
  });
  test('a DEFAULT_MODEL that does not exist stops the start', async () => {
    await rejects(
      ask(undefined, { models, config: { defaultModel: 'z' } }),
      'INVALID_CONFIG',
      /write one of 'a', 'b'/,
    );
  });
});

describe('errors of loading', () => {
  test('a repository that does not exist stops the start', async () => {
    const config = { ...testConfig('/tmp'), modelPath: '/nowhere' };
    await rejects(
      createRuntime(config, new PuppetEngine()),
      'INVALID_CONFIG',
      /^The model repository \/nowhere cannot be read/,
    );
  });

  test('a version that cannot be loaded does not affect the others, and has a reason without paths', async () => {
    using service = await testService({
      models: { m: { versions: { '1': '', '2': '' } } },
      engine: (name) => {
        if (name !== 'm:2') return puppetClassifier();
        throw new MillraceError(
          'INVALID_ARGUMENT',
          'Cannot load /srv/models/m/2/model.onnx at 0xfe',
        );
      },
    });
    assert.deepEqual(service.runtime.models(), [
      {
        name: 'm',
        versions: [
          { version: '1', state: 'ready', reason: '', task: 'raw', device: 'cpu', maxRows: 16 },
          { version: '2', state: 'failed', reason: 'Cannot load model.onnx at …' },
        ],
      },
    ]);
    assert.ok(service.runtime.ready());
    const request = (version: string | undefined) => infer(service.runtime, { ...row, version });
    assert.equal((await request(undefined)).version, '1');
    await rejects(
      request('2'),
      'MODEL_NOT_READY',
      /could not be loaded; see \/ready, or ask for one of '1'/,
    );
  });

  test('messages do not suggest models without a loaded version', async () => {
    using service = await testService({
      models: { m: { config: '{', versions: { '1': '' } }, n: { versions: { '1': '' } } },
    });
    const ask = (model: string | undefined, version?: string) =>
      infer(service.runtime, { ...row, model, version });
    await rejects(
      ask('m', '1'),
      'MODEL_NOT_READY',
      /^Version '1' of model 'm' could not be loaded; see \/ready\.$/,
    );
    await rejects(
      ask('m', '2'),
      'VERSION_NOT_FOUND',
      /^Model 'm' has no version '2'; no version is loaded; see \/ready\.$/,
    );
    await rejects(ask(undefined), 'INVALID_ARGUMENT', /write one of 'n'\.$/);
    await rejects(ask('x'), 'MODEL_NOT_FOUND', /available: 'n'\.$/);
  });

  for (const [name, config, reason] of [
    [
      'that is not JSON',
      '{"task":',
      /^model.json of 'm' is not valid JSON: Unexpected (EOF|end of JSON input)\.$/,
    ],
    [
      'with an unknown key',
      { label: [] },
      /^model.json of 'm' is wrong: it has the unknown key 'label'; write 'labels'\.$/,
    ],
    [
      'with a wrong value',
      { batching: { maxRows: '4' } },
      /^model.json of 'm' is wrong: batching\.maxRows must be a number but is "4"\.$/,
    ],
    ['with too few labels', { task: 'classification', labels: ['a'] }, /names 1 classes/],
    ['with an output that is not there', { task: 'regression', output: 'y' }, /no output 'y'/],
  ] as const) {
    test(`a model.json ${name} fails only its own model`, async () => {
      using service = await testService({
        models: { m: { config, versions: { '1': '' } }, n: { versions: { '1': '' } } },
      });
      const [m, n] = service.runtime.models();
      assert.match(m!.versions[0]!.reason, reason);
      assert.equal(n!.versions[0]!.state, 'ready');
      assert.ok(!service.model('m:1') || service.model('m:1').closed, 'it is still loaded');
    });
  }

  test('a warm-up run that fails becomes a note, and the version is ready', async () => {
    using service = await testService({
      models: { m: { versions: { '1': '' } } },
      engine: () => ({
        ...puppetClassifier(),
        run: () => {
          throw new MillraceError('INTERNAL', 'Node failed');
        },
      }),
    });
    const [version] = service.runtime.models()[0]!.versions;
    assert.equal(version!.state, 'ready');
    assert.deepEqual(version!.notes, ['The run of zeros that warms it failed: Node failed']);
  });

  test('folders that are not models are ignored', async () => {
    using repository = testRepository({
      docs: { versions: {} },
      tool: { versions: { cache: undefined } },
    });
    const runtime = await createRuntime(testConfig(repository.path), new PuppetEngine());
    assert.deepEqual(runtime.models(), []);
  });
});

describe('how a version is loaded', () => {
  const loads = async (options: Parameters<typeof testService>[0]) => {
    using service = await testService({ models: { m: { versions: { '1': '' } } }, ...options });
    return service.engine.loads.map(({ path: _, cacheDir: _c, notice: _n, ...load }) => load);
  };
  const name = 'm:1';

  test('BATCH_SIZE limits the batches of a model without declaring that it can be batched', async () => {
    assert.deepEqual(await loads({ config: { batchSize: 4 } }), [
      { name, device: 'cpu', batching: { autoMaxRows: 4 } },
    ]);
  });

  test('model.json has priority over BATCH_SIZE', async () => {
    const config = { batching: { maxRows: 2, maxQueue: 9 }, instances: 2, intra_op_threads: 3 };
    const models = { m: { config, versions: { '1': '' } } };
    assert.deepEqual(await loads({ models, config: { batchSize: 4 } }), [
      {
        name,
        device: 'cpu',
        batching: { maxRows: 2, maxQueue: 9 },
        instances: 2,
        intraOpThreads: 3,
      },
    ]);
  });

  test('lanes, the former name of instances, is still accepted', async () => {
    const models = { m: { config: { lanes: 2 }, versions: { '1': '' } } };
    const [options] = await loads({ models });
    assert.equal(options?.instances, 2);
  });

  test('DEVICE=auto falls back to the CPU, which the status and the metrics show', async () => {
    using repository = testRepository({ m: { versions: { '1': '' } } });
    const engine = new PuppetEngine(() => ({
      ...puppetClassifier(),
      report: { device: 'cpu', fallback: 'no driver, see /etc/driver' },
    }));
    const config = { ...testConfig(repository.path), device: 'auto' };
    const runtime = await createRuntime(config, engine);
    const [status] = runtime.models()[0]!.versions;
    const { device, reason, fallback } = status!;
    assert.deepEqual(
      { device, reason, fallback },
      {
        device: 'cpu',
        reason: 'no driver, see driver',
        fallback: true,
      },
    );
    assert.equal(engine.loads[0]!.device, 'auto');
    assert.match(
      await runtime.metrics.render(),
      /millrace_model_info\{[^}]*device="cpu",fallback="1"\} 1/,
    );
  });

  test('DEVICE=cuda never falls back: if the GPU cannot be used, the start fails with the reason', async () => {
    const engine = new PuppetEngine(() => {
      throw new MillraceError('FAILED_PRECONDITION', 'no driver');
    });
    using repository = testRepository({ m: { versions: { '1': '' } } });
    const config = { ...testConfig(repository.path), device: 'cuda' };
    await assert.rejects(createRuntime(config, engine), {
      code: 'INVALID_CONFIG',
      message: 'DEVICE=cuda cannot be used. no driver.',
    });
    assert.ok(engine.loads.every(({ device }) => device === 'cuda'));
  });

  test('a model that fails for another reason leaves the server running', async () => {
    const engine = () => {
      throw new MillraceError('INVALID_ARGUMENT', 'no model.');
    };
    using service = await testService({ engine, config: { device: 'cuda' } });
    assert.equal(service.runtime.models()[0]!.versions[0]!.reason, 'no model.');
  });

  test('model.json chooses the device and its options, and a load for TensorRT gets the engine cache', async () => {
    const config = {
      device: 'tensorrt:1',
      device_options: { fp16: true, builderLevel: 3 },
      provider_options: { trt_dla_core: 0 },
    };
    const models = { m: { config, versions: { '1': '' } } };
    const engineCache = '/engines';
    assert.deepEqual(await loads({ models, config: { engineCache } }), [
      {
        name,
        device: 'tensorrt:1',
        engineCache,
        deviceOptions: config.device_options,
        providerOptions: config.provider_options,
      },
    ]);
  });

  test('the status and the metrics show the device of a version, its notes, nodes and shapes', async () => {
    using repository = testRepository({ m: { versions: { '1': '' } } });
    const node = (provider: string) => ({ name: 'n', op: 'Add', provider });
    const report = {
      device: 'cuda:0',
      notes: ['CUDA graphs are off: control flow'],
      nodes: [
        node('CUDAExecutionProvider'),
        node('CUDAExecutionProvider'),
        node('CPUExecutionProvider'),
      ],
      shapes: [{ inputs: [[1, 4]], ms: 1, graph: true }],
    };
    const engine = new PuppetEngine(() => ({ ...puppetClassifier(), report }));
    const runtime = await createRuntime({ ...testConfig(repository.path), device: 'cuda' }, engine);
    const [status] = runtime.models()[0]!.versions;
    assert.deepEqual([status!.device, status!.notes], ['cuda:0', report.notes]);
    const page = await runtime.metrics.render();
    for (const line of [
      'millrace_model_nodes{model="m",version="1",provider="CUDAExecutionProvider"} 2',
      'millrace_model_nodes{model="m",version="1",provider="CPUExecutionProvider"} 1',
      'millrace_model_device_shapes{model="m",version="1",graph="1"} 1',
      'millrace_model_device_lost{model="m",version="1"} 0',
    ]) {
      assert.ok(page.includes(line), line);
    }
  });

  test('a version on a lost GPU has the state failed', async () => {
    using service = await testService({ models: { m: { versions: { '1': '' } } } });
    const [model] = [...service.engine.models.values()];
    model!.measured.deviceLost = true;
    const [status] = service.runtime.models()[0]!.versions;
    assert.equal(status!.state, 'failed');
    assert.match(status!.reason, /lost/);
    assert.match(await service.runtime.metrics.render(), /millrace_model_device_lost\{[^}]*\} 1/);
  });
});

describe('a warm-up of config.pbtxt', () => {
  const input =
    'inputs { key: "features" value { data_type: TYPE_FP32 dims: [ 4 ] zero_data: true } }';
  const triton = `model_warmup { name: "w" batch_size: 1 count: 3 ${input} }`;
  const models = { m: { triton, versions: { '1': '' } } };

  test('has a time limit for each of its runs', async () => {
    using service = await testService({ models });
    const limits = service.model('m:1').runs.map(({ timeoutMs }) => timeoutMs);
    assert.deepEqual(limits, [60_000, 60_000, 60_000]);
  });

  test('that never ends does not hold up the load', async () => {
    using repository = testRepository(models);
    const engine = new PuppetEngine(() => ({
      ...puppetClassifier(),
      run: () => {
        throw new MillraceError('DEADLINE_EXCEEDED', 'The deadline passed');
      },
    }));
    const load = engine.load.bind(engine);
    engine.load = async (options) =>
      Object.assign(await load(options), { close: () => new Promise<void>(() => {}) });
    const runtime = await createRuntime(testConfig(repository.path), engine);
    const [version] = runtime.models()[0]!.versions;
    assert.match(version!.reason, /^model_warmup 'w' failed: The deadline passed/);
  });
});

test('an HTTP thread that is not the first logs its errors, but not what it finds in the repository', async () => {
  using service = await testService({
    models: { m: { versions: { '1': '' } }, empty: { versions: {} } },
    first: false,
  });
  service.model('m:1').close = () => Promise.reject(new Error('no'));
  await service.runtime.close();
  assert.deepEqual(
    service.lines.map(({ msg }) => msg),
    ['a version could not be unloaded'],
  );
});

test('a DEFAULT_MODEL that does not exist stops the start before a model is loaded', async () => {
  using repository = testRepository({ a: { versions } });
  const engine = new PuppetEngine();
  const config = { ...testConfig(repository.path), defaultModel: 'z' };
  await rejects(createRuntime(config, engine), 'INVALID_CONFIG', /write one of 'a'/);
  assert.deepEqual(engine.loads, []);
});
