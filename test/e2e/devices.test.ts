/** @module Tests the setting DEVICE on a machine without a GPU. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLibrary } from '../../native/binding.ts';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';
import { start } from './support.ts';

// The npm package of ONNX Runtime, which has no GPU libraries, regardless of the environment.
const ORT_LIBRARY = defaultLibrary();

describe('a GPU that cannot be used', () => {
  for (const DEVICE of ['cuda', 'tensorrt:0', 'cuda:all']) {
    test(`stops the start with DEVICE=${DEVICE}, with a message about what is missing and how to install it`, async () => {
      using state = await stateFolder();
      const env = { PORT: '0', DEVICE, ORT_LIBRARY, STATE_DIR: state.path };
      await using child = new ServiceChild('services/main.ts', env);
      assert.equal((await child.exited).code, 1);
      assert.match(
        child.errors,
        /^DEVICE=\S+ cannot be used\. .*needs libonnxruntime_providers_\w+\.so.*install the PyPI package onnxruntime-gpu .*\.\n$/,
      );
    });
  }

  test('is replaced by the CPU with DEVICE=auto, with the reason in log, /ready and metrics', async () => {
    await using service = await start({ DEVICE: 'auto', ORT_LIBRARY });
    const reason = /libonnxruntime_providers_cuda\.so/;
    const line = service.child.log.find(({ msg }) => msg === 'model loaded, but not on a GPU');
    assert.match(String(line?.reason), reason);
    const ready = await fetch(`http://127.0.0.1:${service.port}/ready`);
    const { models } = (await ready.json()) as {
      models: { versions: { device: string; fallback: boolean; reason: string }[] }[];
    };
    const { device, fallback, reason: said } = models[0]!.versions[0]!;
    assert.deepEqual([device, fallback], ['cpu', true]);
    assert.match(said, reason);
    const labels = { model: 'iris', device: 'cpu', fallback: '1' };
    assert.equal(await service.metric('millrace_model_info', labels), 1);
  });
});
