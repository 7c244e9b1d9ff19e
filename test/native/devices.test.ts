/** @module Devices where there is no GPU: what is refused and why, what `auto` does, what a report says. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { LoadOptions, MillraceErrorCode } from '../../native/index.ts';
import { fixture, float32, open, refused, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const modelFile = fixture('identity-float32');
const x = float32([1, 2, 3]);

// The npm package lists providers whose files it does not contain.
const provider = path.join(path.dirname(engine.info.library), 'libonnxruntime_providers_cuda.so');
const skip = existsSync(provider) ? 'the ONNX Runtime library has its CUDA provider' : false;

const howToGetIt =
  /^Cannot load model 'identity-float32\.onnx': Device '\w+' needs libonnxruntime_providers_\w+\.so, .*install the PyPI package onnxruntime-gpu \d.*ORT_LIBRARY at libonnxruntime\.so\.\d/;

describe('a GPU that cannot be used', { skip }, () => {
  for (const device of ['cuda', 'cuda:1', 'cuda:all', 'tensorrt', 'tensorrt:0', 'tensorrt:all']) {
    test(`${device} is refused with what is missing and how to install it`, async () => {
      await refused(engine.load({ path: modelFile, device }), 'FAILED_PRECONDITION', howToGetIt);
    });
  }

  test('auto runs on the CPU and says why', async () => {
    await withModel(
      engine,
      'identity-float32',
      async (model) => {
        assert.equal(model.device, 'cpu');
        assert.equal(model.report.device, 'cpu');
        assert.match(model.report.fallback, /libonnxruntime_providers_cuda\.so/);
        assert.deepEqual((await model.run({ x })).outputs.y, x);
      },
      { device: 'auto' },
    );
  });

  test('auto ignores options of a GPU that it cannot use', async () => {
    const deviceOptions = {
      tf32: false,
      memoryLimitBytes: 2 ** 33,
      convSearch: 'default',
    } as const;
    await withModel(engine, 'identity-float32', (model) => assert.equal(model.device, 'cpu'), {
      device: 'auto',
      deviceOptions,
    });
  });
});

describe('the CPU', () => {
  test('has an empty report', async () => {
    await withModel(engine, 'identity-float32', (model) => {
      assert.deepEqual(model.report, {
        device: 'cpu',
        fallback: '',
        notes: [],
        nodes: [],
        shapes: [],
      });
      assert.equal(model.stats().deviceLost, false);
    });
  });
});

/** For each mistake: the options, the error code and the message. */
const wrong: readonly (readonly [string, object, MillraceErrorCode, RegExp])[] = [
  ['an unknown device', { device: 'gpu' }, 'INVALID_ARGUMENT', /'gpu' is unknown: use cpu, cuda/],
  ['a negative GPU', { device: 'cuda:-1' }, 'INVALID_ARGUMENT', /'cuda:-1' is unknown/],
  ['a CPU with a number', { device: 'cpu:0' }, 'INVALID_ARGUMENT', /'cpu:0' is unknown/],
  [
    'a device that is not a string',
    { device: 1 },
    'INVALID_ARGUMENT',
    /device is 1: expected a string/,
  ],
  [
    'an option of the CPU',
    { deviceOptions: { tf32: true } },
    'INVALID_ARGUMENT',
    /'cpu' has no option 'tf32': it takes none/,
  ],
  [
    'a provider option of the CPU',
    { providerOptions: { a: 1 } },
    'INVALID_ARGUMENT',
    /'cpu' takes no provider options: leave out 'a'/,
  ],
  [
    'an unknown option',
    { device: 'cuda', deviceOptions: { fp16: true } },
    'INVALID_ARGUMENT',
    /'cuda' has no option 'fp16': it takes memoryLimitBytes, /,
  ],
  [
    'a flag that is not a boolean',
    { device: 'cuda', deviceOptions: { tf32: 1 } },
    'INVALID_ARGUMENT',
    /'tf32'.* is '1': expected true or false/,
  ],
  [
    'an unknown choice',
    { device: 'cuda', deviceOptions: { convSearch: 'all' } },
    'INVALID_ARGUMENT',
    /'convSearch'.*'all': expected heuristic or exhaustive or default/,
  ],
  [
    'a number out of range',
    { device: 'tensorrt', deviceOptions: { builderLevel: 9 } },
    'INVALID_ARGUMENT',
    /'builderLevel'.*'9': expected a whole number from 0 to 5/,
  ],
  [
    'a memory limit of half a byte',
    { device: 'cuda', deviceOptions: { memoryLimitBytes: 0.5 } },
    'INVALID_ARGUMENT',
    /memoryLimitBytes.*'0.5'.*at least 1/,
  ],
  [
    'an option that is an object',
    { device: 'cuda', deviceOptions: { tf32: {} } },
    'INVALID_ARGUMENT',
    /deviceOptions\.tf32 is \[object Object\]: expected a boolean/,
  ],
  [
    'options that are not an object',
    { device: 'cuda', deviceOptions: 'tf32' },
    'INVALID_ARGUMENT',
    /deviceOptions is tf32: expected an object/,
  ],
  [
    'an engine cache that is not a path',
    { device: 'tensorrt', engineCache: 1 },
    'INVALID_ARGUMENT',
    /engineCache is 1: expected the path/,
  ],
];

describe('a load is refused with', () => {
  for (const [name, options, code, sentence] of wrong) {
    test(name, async () => {
      await refused(engine.load({ path: modelFile, ...options } as LoadOptions), code, sentence);
    });
  }
});
