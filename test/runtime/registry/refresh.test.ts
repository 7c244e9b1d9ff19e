/** @module What the registry does when a poll finds entries that it cannot read. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type Config, createLog } from '../../../runtime/index.ts';
import { Registry } from '../../../runtime/registry/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';
import { loading } from '../../support/loading.ts';
import { PuppetEngine } from '../../support/puppet-engine.ts';
import { testConfig } from '../../support/service.ts';

/** A registry over these files, and the lines it has logged. */
async function open(files: Files, settings: Partial<Config> = {}) {
  const folder = temporaryFiles(files);
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const registry = await Registry.open(
    { ...testConfig(folder.path), ...settings },
    loading(new PuppetEngine()),
    Math.random,
    log,
  );
  return {
    registry,
    /** What the bus does at each poll. */
    refresh: async () => (await registry.prepare({ kind: 'refresh' })).commit(),
    root: folder.path,
    logged: (message: string) => lines.filter(({ msg }) => msg === message),
    names: () => registry.status().map(({ name }) => name),
    async [Symbol.asyncDispose]() {
      await registry.close();
      folder[Symbol.dispose]();
    },
  };
}

const GOOD: Files = { 'good/1/model.onnx': '' };

test('a setting that names a skipped model stops the start with the reason', async () => {
  const files = { ...GOOD, 'm/1/x.txt': '' };
  const reason = /'m', which the repository does not have \(m: It holds no model file.*\); write/;
  const explicit: Partial<Config> = { modelControlMode: 'explicit', loadModels: ['m'] };
  await assert.rejects(open(files, explicit), { code: 'INVALID_CONFIG', message: reason });
  await assert.rejects(open(files, { defaultModel: 'm' }), { message: reason });
});

test('a skipped entry is logged once, and again when its reason changes', async () => {
  await using served = await open({ ...GOOD, 'm/1/x.txt': '' });
  const { registry, root } = served;
  const skipped = () => served.logged('skipped').map(({ name }) => name);
  assert.deepEqual(skipped(), ['m']);
  await served.refresh();
  await served.refresh();
  assert.deepEqual(skipped(), ['m']);
  symlinkSync('nowhere', path.join(root, 'dangling'));
  await served.refresh();
  assert.deepEqual(skipped(), ['m', 'dangling']);
  for (const file of ['a.onnx', 'b.onnx']) writeFileSync(path.join(root, 'm/1', file), '');
  await served.refresh();
  await served.refresh();
  assert.deepEqual(skipped(), ['m', 'dangling', 'm/1']);
  assert.deepEqual(
    registry.skipped().map(({ name }) => name),
    ['dangling', 'm', 'm/1'],
  );
});

test('a refresh of a repository that is gone fails with an error without its path, and loaded models are still served', async () => {
  await using served = await open(GOOD);
  const { registry, root } = served;
  const away = `${root}-away`;
  renameSync(root, away);
  try {
    await assert.rejects(served.refresh(), {
      code: 'INTERNAL',
      message:
        'The repository cannot be read. It does not exist, or it is a link to something that does not exist.',
    });
    assert.deepEqual(await registry.index(), [{ name: 'good', version: '1', state: 'READY' }]);
    assert.ok(registry.ready() && registry.complete());
  } finally {
    if (existsSync(away)) renameSync(away, root);
  }
  mkdirSync(path.join(root, 'later'));
  writeFileSync(path.join(root, 'later/model.onnx'), '');
  await served.refresh();
  assert.deepEqual(served.names(), ['good', 'later']);
});

test('a loaded model is served until its folder is removed, although the folder has no usable version any more', async () => {
  await using served = await open(GOOD);
  const { registry, root } = served;
  rmSync(path.join(root, 'good/1'), { recursive: true });
  await served.refresh();
  const [entry] = await registry.index();
  assert.equal(entry?.state, 'READY');
  assert.match(entry?.reason ?? '', /A newer one cannot be served: It holds no model file/);
  rmSync(path.join(root, 'good'), { recursive: true });
  await served.refresh();
  assert.deepEqual(served.names(), []);
});

test('a model whose file cannot be read does not prevent changes of other models', async () => {
  await using served = await open({ 'a.onnx': '', ...GOOD });
  const { registry, root } = served;
  rmSync(path.join(root, 'a.onnx'));
  symlinkSync('a.onnx', path.join(root, 'a.onnx'));
  writeFileSync(path.join(root, 'z.onnx'), '');
  await served.refresh();
  assert.deepEqual(served.names(), ['a', 'good', 'z']);
  assert.match((await registry.index())[0]?.reason ?? '', /leads back to itself/);
});

test('models that a change loads or unloads are logged', async () => {
  await using served = await open(GOOD);
  assert.deepEqual(served.logged('model loaded'), []);
  mkdirSync(path.join(served.root, 'good/2'));
  writeFileSync(path.join(served.root, 'good/2/model.onnx'), '');
  await served.refresh();
  const loaded = served.logged('model loaded').map(({ model, versions }) => [model, versions]);
  assert.deepEqual(loaded, [['good', ['1', '2']]]);
  rmSync(path.join(served.root, 'good'), { recursive: true });
  await served.refresh();
  assert.deepEqual(
    served.logged('model unloaded').map(({ model }) => model),
    ['good'],
  );
});

for (const [what, config] of [
  ['default_version', { default_version: '9' }],
  ['version_labels.stable', { version_labels: { stable: '9' } }],
  ['traffic', { traffic: { '1': 1, '9': 1 } }],
] as const) {
  test(`a model.json whose ${what} names a version that does not exist fails only its own model`, async () => {
    const files = { ...GOOD, 'm/1/model.onnx': '', 'm/model.json': JSON.stringify(config) };
    await using served = await open(files);
    const [good, m] = served.registry.status();
    assert.equal(good!.versions[0]!.state, 'ready');
    const { state, reason } = m!.versions[0]!;
    assert.equal(state, 'failed');
    const sentence = `${what} names version '9', which the model does not have; write one of '1'.`;
    assert.ok(reason.endsWith(sentence), reason);
  });
}

test('a label that is the name of a version fails only its own model', async () => {
  const config = JSON.stringify({ version_labels: { '1': '2' } });
  const files = { 'm/1/model.onnx': '', 'm/2/model.onnx': '', 'm/model.json': config };
  await using served = await open({ ...GOOD, ...files });
  const [good, m] = served.registry.status();
  assert.equal(good!.versions[0]!.state, 'ready');
  assert.match(m!.versions[0]!.reason, /the label '1', which is the name of a version/);
});
