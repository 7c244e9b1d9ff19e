/** @module Tests the start of the services: settings, ports, and errors that prevent it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ServiceChild } from '../support/child.ts';
import { testRepository } from '../support/repository.ts';
import { stateFolder } from '../support/store.ts';
import { until } from '../support/until.ts';
import { MODELS, ROW, start } from './support.ts';

/** The message of a start that fails, which is one line. */
async function failure(
  env: Record<string, string>,
  args: readonly string[] = [],
  cwd?: string,
): Promise<string> {
  await using child = new ServiceChild('services/main.ts', { PORT: '0', ...env }, args, cwd);
  const { code } = await child.exited;
  assert.equal(code, 1, child.errors);
  assert.equal(child.errors.trim().split('\n').length, 1, child.errors);
  return child.errors.trim();
}

/** The same for all services, with few models and a database that is there already, because making one takes seconds. */
async function failureOfAll(env: Record<string, string>): Promise<string> {
  using state = await stateFolder();
  using repository = testRepository(MODELS);
  const folders = { MODEL_PATH: repository.path, STATE_DIR: state.path };
  return await failure({ SERVICE: 'all', ...folders, ...env });
}

describe('a start', () => {
  test('logs lines of JSON, the last of which has the port', async () => {
    await using service = await start();
    const line = await service.child.line('ready');
    assert.equal(line.port, service.port);
    assert.equal(line.workers, 1);
    const loaded = service.child.log.filter(({ msg }) => msg === 'model loaded');
    assert.deepEqual(
      loaded.map(({ model, version }) => `${model}:${version}`),
      ['iris:v1.0', 'slow:1'],
    );
    assert.equal(service.child.errors, '');
  });

  test('warns if no model is served', async () => {
    await using service = await start({}, {});
    assert.equal((await service.child.line('no model is served')).level, 40);
  });

  test('continues if the default version of a model cannot be loaded', async () => {
    const iris = MODELS.iris!;
    const versions = { ...iris.versions, broken: import.meta.filename };
    const config = Object.assign({}, iris.config, { default_version: 'broken' });
    await using service = await start({}, { iris: { ...iris, config, versions } });
    assert.equal((await service.predict({ features: ROW })).status, 503);
    const named = await service.predict({ features: ROW, model_version: 'v1.0' });
    assert.equal(named.status, 200);
  });

  test('that is stopped before the services are ready exits with 0', async () => {
    const models = Array.from({ length: 200 }, (_, i) => [`m${i}`, MODELS.slow!] as const);
    const repository = testRepository(Object.fromEntries(models));
    const env = { MODEL_PATH: repository.path, PORT: '0', CACHE_DIR: `${repository.path}-cache` };
    await using child = new ServiceChild('services/main.ts', env);
    try {
      // Until then, the signal would end the process by itself.
      await until(() => child.handles(constants.signals.SIGTERM), 'SIGTERM is handled');
      child.signal('SIGTERM');
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      assert.deepEqual(
        child.log.map(({ msg }) => msg),
        ['stopped before the services were ready'],
      );
    } finally {
      repository[Symbol.dispose]();
      rmSync(`${repository.path}-cache`, { recursive: true, force: true });
    }
  });

  test('logs fields of a configuration that have no effect', async () => {
    const versions = { '1': 'test/fixtures/models/identity-float32.onnx' };
    const triton = 'max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 }';
    await using service = await start({}, { m: { triton, versions } });
    const { notes } = await service.child.line('model loaded');
    assert.deepEqual(notes, ['dynamic_batching.preferred_batch_size has no effect']);
  });

  test('of all services opens a port for each, with the same models', async () => {
    await using service = await start({ SERVICE: 'all' });
    const { ports } = (await service.child.line('ready')) as { ports: Record<string, number> };
    assert.equal(ports.gateway, service.port);
    const response = await fetch(`http://127.0.0.1:${ports.inference}/v2/models/iris/infer`, {
      method: 'POST',
      body: JSON.stringify({
        inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 4], data: ROW }],
      }),
    });
    assert.equal(response.status, 200);
    assert.equal((await service.predict({ features: ROW })).status, 200);
    const completed = await service.metric('millrace_model_requests_total', {
      model: 'iris',
      outcome: 'completed',
    });
    assert.ok(completed >= 2, `${completed}`);
  });
});

describe('a port that is taken', () => {
  test('stops the start if another program has it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    try {
      for (const workers of ['1', '2']) {
        const said = await failure({
          PORT: `${port}`,
          MAX_WORKERS: workers,
          SERVICE: 'prediction',
        });
        assert.match(said, new RegExp(`^Port ${port} is already in use; stop the process .* PORT`));
      }
    } finally {
      other.close();
    }
  });

  for (const [first, second] of [
    ['1', '1'],
    ['2', '2'],
    ['1', '2'],
    ['2', '1'],
  ] as const) {
    test(`stops the start if the service already runs, with ${first} and ${second} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: first });
      const env = { PORT: `${service.port}`, MAX_WORKERS: second, SERVICE: 'prediction' };
      assert.match(await failure(env), /^Port \d+ is already in use/);
      assert.equal((await service.predict({ features: ROW })).status, 200);
    });
  }
});

/** A port that was free when this function returned. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a port in the settings', () => {
  for (const workers of ['1', '2']) {
    test(`is the one that opens, with ${workers} HTTP threads`, async () => {
      const port = await freePort();
      await using service = await start({ PORT: `${port}`, MAX_WORKERS: workers });
      assert.equal(service.port, port);
      assert.equal((await service.predict({ features: ROW })).status, 200);
    });
  }

  test('is reported with the setting that has it if it is taken', async () => {
    await using service = await start({ SERVICE: 'all' });
    const { ports } = (await service.child.line('ready')) as { ports: Record<string, number> };
    for (const [setting, port] of [
      ['INFERENCE_PORT', ports.inference],
      ['GRPC_PORT', ports.grpc],
    ] as const) {
      for (const workers of ['1', '2']) {
        const said = await failureOfAll({ [setting]: `${port}`, MAX_WORKERS: workers });
        assert.match(said, new RegExp(`^Port ${port} is already in use; .* in ${setting}\\.$`));
      }
    }
    assert.equal((await service.predict({ features: ROW })).status, 200);
  });
});

describe('settings', () => {
  test('in flags have priority over the environment, where X_FILE names a file with the value', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-secret-'));
    try {
      writeFileSync(path.join(folder, 'workers'), '2\n');
      const env = { MAX_WORKERS_FILE: path.join(folder, 'workers') };
      await using two = await start(env);
      assert.equal((await two.child.line('ready')).workers, 2);
      await using one = await start(env, MODELS, ['--max-workers=1']);
      assert.equal((await one.child.line('ready')).workers, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('in flags have priority over the environment, then over millrace.json, then over defaults', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-settings-'));
    using repository = testRepository(MODELS);
    const settings = { model_path: repository.path, service: 'prediction', port: 0 };
    const workersOf = async (
      file: object,
      env: Readonly<Record<string, string>>,
      args: readonly string[],
    ) => {
      writeFileSync(path.join(folder, 'millrace.json'), JSON.stringify({ ...settings, ...file }));
      await using child = new ServiceChild('services/main.ts', env, args, folder);
      return (await child.line('ready')).workers;
    };
    try {
      assert.equal(await workersOf({}, {}, []), 1);
      assert.equal(await workersOf({ max_workers: 2 }, {}, []), 2);
      assert.equal(await workersOf({ max_workers: 2 }, { MAX_WORKERS: '3' }, []), 3);
      const flag = ['--max-workers', '1'];
      assert.equal(await workersOf({ max_workers: 2 }, { MAX_WORKERS: '3' }, flag), 1);
      writeFileSync(path.join(folder, 'millrace.json'), '{"speed":"high"}');
      assert.match(await failure({}, [], folder), /^millrace\.json has the unknown key 'speed'/);
      writeFileSync(path.join(folder, 'millrace.json'), '{"port":');
      assert.match(await failure({}, [], folder), /^millrace\.json is not valid JSON/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const wrong: Readonly<Record<string, readonly [Record<string, string>, string[], RegExp]>> = {
    'an unknown flag': [{}, ['--colour', 'red'], /^--colour is not an option; write one of --/],
    'a flag without its value': [{}, ['--models'], /^--models needs a value/],
    'an unknown service': [{}, ['nlpp'], /^SERVICE must be one of all, .* got "nlpp"/],
    'a port that is not a number': [
      { PORT: 'http' },
      [],
      /^PORT must be a whole number from 0 to 65535/,
    ],
    'a misspelt setting': [
      { MAXWORKERS: '2' },
      [],
      /^MAXWORKERS is not a setting; write MAX_WORKERS/,
    ],
    'a setting given twice': [
      { HOST: 'a', HOST_FILE: '/b' },
      [],
      /^HOST and HOST_FILE are both set/,
    ],
    'two services on one port': [
      { PORT: '8000', SERVICE: 'all' },
      [],
      /^PORT and INFERENCE_PORT are both 8000/,
    ],
    'LOAD_MODEL in a mode that ignores it': [
      { LOAD_MODEL: 'iris' },
      [],
      /^LOAD_MODEL has no effect with MODEL_CONTROL_MODE=none/,
    ],
    'an additional argument': [{}, ['all', 'prediction'], /^prediction is not an option/],
    'zero workers': [{ MAX_WORKERS: '0' }, [], /^MAX_WORKERS must be a whole number from 1 to 256/],
    'a secret that cannot be read': [
      { DEVICE_FILE: '/no/such' },
      [],
      /^DEVICE_FILE names the file/,
    ],
    'an unknown device': [{ DEVICE: 'gpu' }, [], /^DEVICE must be cpu, /],
    'a repository that does not exist': [
      { MODEL_PATH: '/no/such', SERVICE: 'prediction' },
      [],
      /^The model repository .* cannot be read\..*; write in MODEL_PATH/,
    ],
    'a default model that does not exist': [
      { DEFAULT_MODEL: 'x', SERVICE: 'prediction' },
      [],
      /^DEFAULT_MODEL names 'x'/,
    ],
    'a library that does not exist': [
      { ORT_LIBRARY: '/no/such.so' },
      [],
      /no such\.so|\/no\/such\.so|cannot/i,
    ],
    'an address of another machine': [
      { HOST: '192.0.2.1', SERVICE: 'prediction' },
      [],
      /^HOST 192\.0\.2\.1 is not an address/,
    ],
  };
  for (const [name, [env, args, message]] of Object.entries(wrong)) {
    test(`stop the start if there is ${name}`, async () =>
      assert.match(await failure(env, args), message));
  }
});
