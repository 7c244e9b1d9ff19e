/** @module What the index says of models that are being loaded and unloaded, also when unloading fails. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog, type StateChange } from '../../../runtime/index.ts';
import { Registry } from '../../../runtime/registry/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { loading } from '../../support/loading.ts';
import { PuppetEngine } from '../../support/puppet-engine.ts';
import { testConfig } from '../../support/service.ts';

/** A registry that has loaded the model `m`, and the lines it has logged. */
async function open() {
  const folder = temporaryFiles({ 'm/1/model.onnx': '' });
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const engine = new PuppetEngine();
  const config = testConfig(folder.path);
  const registry = await Registry.open(config, loading(engine), Math.random, log);
  return {
    registry,
    lines,
    make: async (change: StateChange) => (await registry.prepare(change)).commit(),
    version: () => registry.routes.get('m')!.loaded()[0]!,
    states: async () => (await registry.index()).map(({ state }) => state),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

const LOAD: StateChange = { kind: 'load', name: 'm', override: undefined };
const UNLOAD: StateChange = { kind: 'unload', name: 'm' };

describe('a model that is unloaded', () => {
  test('is shown as unloading until the last of its replaced versions has no request left', async () => {
    using served = await open();
    const first = served.version();
    first.hold();
    await served.make(LOAD);
    const second = served.version();
    second.hold();
    await served.make(UNLOAD);
    assert.deepEqual(await served.states(), ['UNLOADING']);
    first.release();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await served.states(), ['UNLOADING'], 'the second one still has a request');
    second.release();
    await served.registry.close();
    assert.deepEqual(await served.states(), ['UNAVAILABLE']);
  });

  test('is no longer shown as unloading when unloading fails, which is logged and stops nothing', async () => {
    using served = await open();
    served.version().close = () => Promise.reject(new Error('The engine is broken'));
    await served.make(UNLOAD);
    await served.registry.close();
    assert.deepEqual(await served.states(), ['UNAVAILABLE']);
    const [line] = served.lines.filter(({ level }) => level === 50 || level === 'error');
    assert.equal(line?.msg, 'a version could not be unloaded');
    assert.equal(line?.model, 'm');
    await served.make(LOAD);
    assert.deepEqual(await served.states(), ['READY']);
  });
});

test('a change that is abandoned leaves no trace in the index', async () => {
  using served = await open();
  const change = await served.registry.prepare(LOAD);
  assert.deepEqual(await served.states(), ['READY']);
  change.abandon();
  await served.registry.close();
  assert.deepEqual(await served.states(), [undefined]);
});
