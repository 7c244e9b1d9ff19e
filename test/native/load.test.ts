/** @module Loading: what is refused and why, what is shared, and what the options do. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { LoadOptions, MillraceErrorCode, Model } from '../../native/index.ts';
import { fixture, float32, loop, open, refused, until, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const modelFile = fixture('identity-float32');
const x = float32([1, 2, 3]);
const serves = async (model: Model) => assert.deepEqual((await model.run({ x })).outputs.y, x);

/** For each fixture that cannot be served: the error code and the message. */
const broken: readonly (readonly [string, MillraceErrorCode, RegExp])[] = [
  ['broken/truncated', 'INVALID_ARGUMENT', /Protobuf parsing failed/],
  ['broken/not-onnx', 'INVALID_ARGUMENT', /Protobuf parsing failed/],
  ['broken/empty', 'INVALID_ARGUMENT', /empty/],
  ['broken/future-opset', 'INVALID_ARGUMENT', /opset/i],
  ['broken/missing-external-data', 'INVALID_ARGUMENT', /external data|absent\.bin/i],
  ['broken/bad-graph', 'INVALID_ARGUMENT', /./],
  ['sequence-output', 'UNIMPLEMENTED', /Output 'y' is not a tensor/],
  ['float8', 'UNIMPLEMENTED', /Input 'x' has ONNX element type 17.*Cast/],
  ['absent', 'NOT_FOUND', /Cannot read the model file/],
];

describe('a model that cannot be served', () => {
  for (const [name, code, message] of broken) {
    const file = path.basename(fixture(name));
    test(`${name} is refused with ${code}`, () =>
      withModel(engine, 'identity-float32', async (healthy) => {
        const error = await refused(engine.load({ path: fixture(name) }), code, message);
        if (code !== 'NOT_FOUND')
          assert.match(error.message, new RegExp(`^Cannot load model '${file}'`));
        assert.doesNotMatch(error.message, /\n/, 'one sentence');
        await serves(healthy);
        await refused(engine.load({ path: fixture(name) }), code, message);
      }));
  }

  test('does not affect valid models that are loaded at the same time', async () => {
    const loads = broken.flatMap(([name, code, message]) => [
      refused(engine.load({ path: fixture(name) }), code, message),
      withModel(engine, 'identity-float32', serves),
    ]);
    await Promise.all(loads);
  });

  for (const [what, bytes, code] of [
    ['no bytes', new Uint8Array(), 'INVALID_ARGUMENT'],
    ['one byte', Uint8Array.of(8), 'INVALID_ARGUMENT'],
    ['text', Buffer.from('not a model'), 'INVALID_ARGUMENT'],
    ['half a model', readFileSync(fixture('broken/truncated')), 'INVALID_ARGUMENT'],
    [
      'a model without the data beside it',
      readFileSync(fixture('external-data/model')),
      'INVALID_ARGUMENT',
    ],
  ] as const) {
    test(`${what} as bytes is refused with ${code}`, async () => {
      await refused(engine.load({ bytes }), code, /^Cannot load model/);
    });
  }

  test('a folder is refused', async () => {
    const load = engine.load({ path: path.dirname(modelFile) });
    await refused(load, 'NOT_FOUND', /Cannot read/);
  });
});

const wrongOptions: readonly (readonly [string, unknown, MillraceErrorCode, RegExp])[] = [
  ['neither path nor bytes', {}, 'INVALID_ARGUMENT', /exactly one of path and bytes/],
  [
    'both path and bytes',
    { path: modelFile, bytes: new Uint8Array() },
    'INVALID_ARGUMENT',
    /exactly one/,
  ],
  ['a path that is not a string', { path: 7 }, 'INVALID_ARGUMENT', /path/],
  ['bytes of the wrong type', { bytes: 'model' }, 'INVALID_ARGUMENT', /bytes/],
  ['bytes of another type', { bytes: new Float32Array(3) }, 'INVALID_ARGUMENT', /bytes/],
  ['no instances', { path: modelFile, instances: 0 }, 'INVALID_ARGUMENT', /instances is 0/],
  ['half an instance', { path: modelFile, instances: 1.5 }, 'INVALID_ARGUMENT', /instances is 1.5/],
  [
    'a thousand instances',
    { path: modelFile, instances: 1000 },
    'INVALID_ARGUMENT',
    /instances is 1000.*64/,
  ],
  ['text for instances', { path: modelFile, instances: '2' }, 'INVALID_ARGUMENT', /instances is 2/],
  ['no threads', { path: modelFile, intraOpThreads: 0 }, 'INVALID_ARGUMENT', /intraOpThreads is 0/],
  ['no rows', { path: modelFile, batching: { maxRows: 0 } }, 'INVALID_ARGUMENT', /maxRows is 0/],
  [
    'NaN rows',
    { path: modelFile, batching: { maxRows: Number.NaN } },
    'INVALID_ARGUMENT',
    /maxRows is NaN/,
  ],
  [
    'a priority beyond the last',
    { path: modelFile, batching: { maxQueueByPriority: Array(257).fill(1) } },
    'INVALID_ARGUMENT',
    /maxQueueByPriority needs at most 256 numbers/,
  ],
  [
    'a negative queue length for a priority',
    { path: modelFile, batching: { maxQueueByPriority: [1, -1] } },
    'INVALID_ARGUMENT',
    /maxQueueByPriority\[1\] is -1: expected a number from 0 to 65536/,
  ],
  ['no queue', { path: modelFile, batching: { maxQueue: 0 } }, 'INVALID_ARGUMENT', /maxQueue is 0/],
  [
    'a negative delay',
    { path: modelFile, batching: { maxDelayMs: -1 } },
    'INVALID_ARGUMENT',
    /maxDelayMs is -1/,
  ],
  [
    'an endless delay',
    { path: modelFile, batching: { maxDelayMs: Infinity } },
    'INVALID_ARGUMENT',
    /maxDelayMs/,
  ],
];

describe('options', () => {
  for (const [what, options, code, message] of wrongOptions) {
    test(`${what} is refused with ${code}`, async () => {
      await refused(engine.load(options as LoadOptions), code, message);
    });
  }

  test('the largest value of each option is accepted', () =>
    withModel(engine, 'identity-float32', serves, {
      instances: 64,
      intraOpThreads: 256,
      batching: { maxRows: 1 << 20, maxQueue: 1 << 16, maxDelayMs: 0 },
    }));

  test('the name is the option, or that of the file, or the start of the digest', async () => {
    const bytes = readFileSync(modelFile);
    const models = await Promise.all([
      engine.load({ path: modelFile }),
      engine.load({ path: modelFile, name: 'mine' }),
      engine.load({ bytes }),
    ]);
    assert.deepEqual(
      models.map(({ name }) => name),
      ['identity-float32.onnx', 'mine', models[2].digest.slice(0, 12)],
    );
    assert.ok(models.every(({ device }) => device === 'cpu'));
    await Promise.all(models.map((model) => model.close()));
  });

  test('instances run at the same time', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const runs = Array.from({ length: 3 }, () => loop(model, 100_000));
        await until(() => model.stats().running === 3);
        await Promise.all(runs);
      },
      { instances: 3, batching: false },
    ));

  test('a run may use several threads', () =>
    withModel(engine, 'identity-float32', serves, { intraOpThreads: 2 }));

  test('a relative path and a link can be loaded', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-load-'));
    try {
      const link = path.join(folder, 'link.onnx');
      symlinkSync(modelFile, link);
      for (const file of [path.relative(process.cwd(), modelFile), link]) {
        const model = await engine.load({ path: file });
        await serves(model);
        await model.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('external data is found beside the file', () =>
    withModel(engine, 'external-data/model', async (model) => {
      const { y } = (await model.run({ x: float32([1, 1, 1, 1]) })).outputs;
      assert.deepEqual(y, float32([2, 3, 4, 5]));
    }));
});

describe('bytes', () => {
  const bytes = readFileSync(modelFile);

  test('a model loads from bytes', async () => {
    const model = await engine.load({ bytes });
    await serves(model);
    await model.close();
  });

  test('a model loads from a part of larger memory', async () => {
    const larger = new Uint8Array(bytes.length + 20).fill(255);
    larger.set(bytes, 7);
    const model = await engine.load({ bytes: larger.subarray(7, 7 + bytes.length) });
    await serves(model);
    await model.close();
  });

  test('bytes may change as soon as load has returned', async () => {
    const copy = Uint8Array.from(bytes);
    const loading = engine.load({ bytes: copy });
    copy.fill(0);
    const model = await loading;
    await serves(model);
    await model.close();
  });
});

describe('sharing', () => {
  test('the digest is that of the file', () =>
    withModel(engine, 'identity-float32', ({ digest }) => {
      assert.equal(digest, createHash('sha256').update(readFileSync(modelFile)).digest('hex'));
    }));

  test('the same file loaded twice is one session', async () => {
    const other = open();
    const [one, two] = [
      await engine.load({ path: modelFile }),
      await other.load({ path: modelFile, name: 'two' }),
    ];
    assert.equal(one.digest, two.digest);
    await Promise.all([serves(one), serves(two), serves(two)]);
    assert.equal(one.stats().completed, 3);
    assert.deepEqual({ ...one.stats(), idleMs: 0 }, { ...two.stats(), idleMs: 0 });
    await one.close();
    await serves(two);
    await other.close();
    await refused(two.run({ x }), 'FAILED_PRECONDITION', /'two' is closed/);
    await withModel(engine, 'identity-float32', (fresh) =>
      assert.equal(fresh.stats().submitted, 0),
    );
  });

  test('loads of one file at the same time share one session', async () => {
    const models = await Promise.all(
      Array.from({ length: 20 }, () => engine.load({ path: modelFile })),
    );
    await Promise.all(models.map(serves));
    for (const model of models) assert.equal(model.stats().completed, 20);
    await Promise.all(models.map((model) => model.close()));
  });

  test('other options create another session', async () => {
    const models = await Promise.all(
      [
        {},
        { instances: 2 },
        { batching: false },
        { batching: { maxQueue: 7 } },
        { intraOpThreads: 2 },
      ].map((options) => engine.load({ path: modelFile, ...options } as LoadOptions)),
    );
    await serves(models[0]!);
    assert.deepEqual(
      models.map((model) => model.stats().submitted),
      [1, 0, 0, 0, 0],
    );
    await Promise.all(models.map((model) => model.close()));
  });

  test('equal files in two folders are two sessions, since external data may differ', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-load-'));
    try {
      const copy = path.join(folder, 'copy.onnx');
      copyFileSync(modelFile, copy);
      const [one, two] = await Promise.all(
        [modelFile, copy].map((file) => engine.load({ path: file })),
      );
      await serves(one!);
      assert.deepEqual([one!.digest === two!.digest, two!.stats().submitted], [true, 0]);
      await Promise.all([one!.close(), two!.close()]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a load that fails does not affect the next', async () => {
    const bad = readFileSync(fixture('broken/truncated'));
    const loads = Array.from({ length: 8 }, () =>
      refused(engine.load({ bytes: bad }), 'INVALID_ARGUMENT'),
    );
    await Promise.all(loads);
    await withModel(engine, 'identity-float32', serves);
  });
});

describe('the engine', () => {
  test('reports its library, the version and the execution providers', () => {
    const { library, onnxRuntimeVersion, providers } = engine.info;
    assert.match(onnxRuntimeVersion, /^1\.\d+\.\d+$/);
    assert.ok(path.isAbsolute(library) && providers.includes('CPUExecutionProvider'));
  });

  test('closes after pending loads have settled, and closes their models', async () => {
    const other = open();
    const loads = ['identity-float32', 'slow-loop', 'broken/not-onnx', 'absent'].map((name) =>
      other.load({ path: fixture(name) }),
    );
    await other.close();
    const settled = await Promise.allSettled(loads);
    assert.deepEqual(
      settled.map((one) => (one.status === 'fulfilled' ? one.value.closed : one.reason.code)),
      [true, true, 'INVALID_ARGUMENT', 'NOT_FOUND'],
    );
  });

  test('can be opened fifty times in one thread', async () => {
    const engines = Array.from({ length: 50 }, () => open());
    await Promise.all(
      engines.map(async (one) => {
        await withModel(one, 'identity-float32', serves);
        await one.close();
      }),
    );
  });
});
