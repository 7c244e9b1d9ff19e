import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { readConfig, ServeError, settingsInForce } from '../../runtime/index.ts';

const services = [
  { name: 'prediction', defaultPort: 8001 },
  { name: 'inference', defaultPort: 8000, defaultGrpcPort: 9000 },
];

let cwd = '';
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const read = (env: Record<string, string> = {}, argv: string[] = []) =>
  readConfig(services, { argv, env, cwd });
const write = (content: unknown) =>
  writeFileSync(
    join(cwd, 'millrace.json'),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
const refuses = (run: () => unknown, message: RegExp) =>
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ServeError);
    assert.equal(error.code, 'INVALID_CONFIG');
    assert.match(error.message, message);
    assert.match(error.message, /\.$/);
    return true;
  });

const platformDefaults = () => ({
  stateDir: join(cwd, '.millrace'),
  databaseUrl: undefined,
  redisUrl: undefined,
  queueRedisUrl: undefined,
  artifacts: join(cwd, '.millrace', 'artifacts'),
  s3: {
    endpoint: undefined,
    region: 'us-east-1',
    accessKeyId: undefined,
    secretAccessKey: undefined,
    sessionToken: undefined,
  },
  allowLocalSources: false,
  validationMemoryBytes: 4 * 1024 ** 3,
  validationTimeoutMs: 120_000,
  signaturePolicy: 'off',
  signatureKeys: undefined,
  signatureTrustRoot: undefined,
  signatureIdentity: undefined,
  routingFile: undefined,
  shadowKeepInputs: false,
  feedbackTtlSecs: 86_400,
  cacheTtlSecs: undefined,
  cacheMaxBytes: 67_108_864,
  jobConcurrency: 4,
  jobResultTtlSecs: 86_400,
  webhookSecret: undefined,
  webhookAllow: [],
});

describe('readConfig', () => {
  test('has a default for every setting', () => {
    assert.deepEqual(read(), {
      modelPath: join(cwd, 'models'),
      cacheDir: join(cwd, '.millrace', 'cache'),
      defaultModel: undefined,
      transformerModel: undefined,
      maxSequenceLength: undefined,
      modelControlMode: 'none',
      loadModels: [],
      repositoryPollMs: 15_000,
      strictReadiness: true,
      device: 'cpu',
      engineCache: join(cwd, '.millrace/engines'),
      batchSize: undefined,
      maxWorkers: 1,
      maxInFlight: 1024,
      maxRequestBytes: 67_108_864,
      maxPredictBytes: 1_048_576,
      maxLoadBytes: 134_217_728,
      maxBodyBytesInFlight: 268_435_456,
      maxPixels: 25_000_000,
      maxPixelBytesInFlight: 201_326_592,
      maxImagesWaiting: 1024,
      maxReceiving: 4096,
      minBodyRate: 1024,
      bodyTimeoutMs: 10_000,
      idleTimeoutSecs: 75,
      drainDelayMs: 0,
      exitTimeoutMs: 30_000,
      host: '127.0.0.1',
      services: ['prediction', 'inference'],
      ports: { prediction: 8001, inference: 8000, grpc: 9000 },
      logLevel: 'info',
      ortLibrary: undefined,
      ...platformDefaults(),
    });
  });

  test('keeps everything that is local below STATE_DIR, unless ARTIFACTS is elsewhere', () => {
    const { stateDir, artifacts } = read({ STATE_DIR: 'state' });
    assert.equal(stateDir, join(cwd, 'state'));
    assert.equal(artifacts, join(cwd, 'state', 'artifacts'));
    assert.equal(read({ ARTIFACTS: 'shared' }).artifacts, join(cwd, 'shared'));
    assert.equal(read({ ARTIFACTS: 's3://models/a' }).artifacts, 's3://models/a');
  });

  test('prefers flags to the environment, the environment to millrace.json, and that file to the defaults', () => {
    write({ port: 1, host: 'file', device: 'auto' });
    const config = read({ PORT: '2', HOST: 'env' }, ['--port', '3']);
    assert.deepEqual([config.ports.prediction, config.host, config.device], [3, 'env', 'auto']);
  });

  test('takes flags with and without an equals sign, and --models for MODEL_PATH', () => {
    const config = read({}, ['--models=m', '--batch-size', '8', '--max-workers=2']);
    assert.equal(config.modelPath, join(cwd, 'm'));
    assert.equal(config.batchSize, 8);
    assert.equal(config.maxWorkers, 2);
  });

  test('takes a path as the first argument for the models, and a name for the service', () => {
    const config = read({}, ['./a.onnx', '--port', '0']);
    assert.equal(config.modelPath, join(cwd, 'a.onnx'));
    assert.deepEqual(config.services, read().services);
    assert.deepEqual(read({}, ['prediction']).services, ['prediction']);
  });

  test('shows the settings in force without secrets', () => {
    const env = { DATABASE_URL: 'postgres://a:secret@host/x', PORT: '1' };
    const shown = settingsInForce(services, { argv: [], env, cwd });
    const of = (name: string) => shown.find((each) => each.name === name);
    assert.deepEqual(of('DATABASE_URL'), {
      name: 'DATABASE_URL',
      value: '(hidden)',
      source: 'DATABASE_URL',
    });
    assert.equal(of('PORT')?.value, '1');
    assert.equal(of('HOST')?.source, undefined);
    assert.doesNotMatch(JSON.stringify(shown), /secret/);
  });

  test('reads a setting from the file that its *_FILE variable names', () => {
    writeFileSync(join(cwd, 'secret'), 'iris\n');
    assert.equal(read({ DEFAULT_MODEL_FILE: join(cwd, 'secret') }).defaultModel, 'iris');
    refuses(() => read({ DEFAULT_MODEL_FILE: join(cwd, 'absent') }), /DEFAULT_MODEL_FILE names/);
    refuses(
      () => read({ PORT_FILE: join(cwd, 'secret') }),
      /^PORT in the file that PORT_FILE names must be .*, got "iris"; write for example 8001 into that/,
    );
    refuses(
      () => read({ DEFAULT_MODEL: 'a', DEFAULT_MODEL_FILE: join(cwd, 'secret') }),
      /both set; write only one/,
    );
  });

  test('takes log levels in upper case, as other platforms write them', () => {
    assert.equal(read({ LOG_LEVEL: 'DEBUG' }).logLevel, 'debug');
  });

  test('ignores the environment variables of other programs', () => {
    assert.equal(
      read({ HOME: '/root', host: 'me', port: '5', KAFKA_URL: 'x', PORT: '' }).ports.prediction,
      8001,
    );
  });

  for (const [env, message] of [
    [
      { PORT: 'http' },
      /PORT must be a whole number from 0 to 65535, got "http"; write for example/,
    ],
    [{ PORT: '70000' }, /PORT must be a whole number from 0 to 65535/],
    [{ MAX_WORKERS: '0' }, /MAX_WORKERS must be a whole number from 1/],
    [{ MAX_WORKERS: '1.5' }, /MAX_WORKERS must be a whole number from 1/],
    [{ BATCH_SIZE: '-1' }, /BATCH_SIZE must be/],
    [{ DEVICE: 'gpu' }, /DEVICE must be cpu, auto, cuda, .*write for example DEVICE=cpu/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of/],
    [{ BATCHSIZE: '3' }, /BATCHSIZE is not a setting; write BATCH_SIZE/],
    [{ model_path: '3' }, /model_path is not a setting; write MODEL_PATH/],
    [{ MILLRACE_MODEL_PATH: '3' }, /MILLRACE_MODEL_PATH is not a setting; write MODEL_PATH/],
  ] as const) {
    test(`refuses ${JSON.stringify(env)}`, () => refuses(() => read(env), message));
  }

  for (const [argv, message] of [
    [['--prot', '1'], /--prot is not an option; write --port\.$/],
    [['--colour', 'red'], /--colour is not an option; write one of --.*--port/],
    [['start'], /SERVICE must be one of all, prediction, inference, got "start"/],
    [['--port'], /--port needs a value; write --port=8001/],
    [['--port', '--host', 'x'], /--port needs a value/],
    [
      ['--port', 'abc'],
      /^--port must be a whole number .*, got "abc"; write for example --port=8001/,
    ],
  ] as const) {
    test(`refuses ${argv.join(' ')}`, () => refuses(() => read({}, [...argv]), message));
  }

  for (const [content, message] of [
    ['{', /millrace.json is not valid JSON/],
    ['[]', /millrace.json must hold an object/],
    [{ speed: 1 }, /unknown key 'speed'; the keys are .*port/],
    [
      { port: 'x' },
      /^port in millrace.json must be a whole number .*, got "x"; write for example \{"port":8001\}/,
    ],
    [{ port: 70000 }, /^port in millrace.json must be .*; write for example \{"port":8001\}/],
    [
      { device: 'gpu' },
      /^device in millrace.json must be cpu, .*; write for example \{"device":"cpu"\}/,
    ],
  ] as const) {
    test(`refuses millrace.json with ${JSON.stringify(content)}`, () => {
      write(content);
      refuses(() => read(), message);
    });
  }

  test('does not show a secret that it refuses', () => {
    const env = { DATABASE_URL: 'mysql://a:hidden@host/x' };
    refuses(() => read(env), /^DATABASE_URL must be .*, got another value; write for example/);
  });

  test('refuses settings that contradict each other', () => {
    refuses(() => read({ PORT: '8000' }), /^PORT and INFERENCE_PORT are both 8000/);
    refuses(() => read({ GRPC_PORT: '8001' }), /^PORT and GRPC_PORT are both 8001/);
    const inference = { SERVICE: 'inference', PORT: '9000' };
    refuses(() => read(inference), /^PORT and GRPC_PORT are both 9000/);
    refuses(() => read({ ...inference, INFERENCE_PORT: '7' }), /write only one of them/);
    refuses(
      () => read({ DRAIN_DELAY_MS: '30000' }),
      /^DRAIN_DELAY_MS is 30000, which leaves nothing of the 30000 of EXIT_TIMEOUT_MS/,
    );
    const redis = 'redis://localhost';
    refuses(() => read({ REDIS_URL: redis, QUEUE_REDIS_URL: redis }), /are the same server/);
    refuses(() => read({ ARTIFACTS: 's3:///x' }), /which names no bucket; write s3:/);
    refuses(() => read({ DATABASE_URL: 'mysql://x' }), /must be a URL that starts with postgres:/);
    refuses(() => read({ DATABASE_URL: 'postgres://a:b%zz@host/x' }), /must be a URL that starts/);
    refuses(() => read({ LOAD_MODEL: 'iris' }), /^LOAD_MODEL has no effect with .*=none; write/);
    assert.equal(read({ SERVICE: 'prediction', PORT: '8000' }).ports.prediction, 8000);
    assert.equal(read({ PORT: '0', INFERENCE_PORT: '0' }).ports.grpc, 0);
  });
});
