/** @module Tests readiness, the index and polling with empty repositories and with entries that are not models. */
import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Config } from '../../../runtime/index.ts';
import { until } from '../../support/until.ts';
import { withClient } from './grpc-client.ts';
import { type Files, inference } from './support.ts';

const GOOD: Files = { 'good/1/model.onnx': '=identity-float32' };
const POLL: Partial<Config> = { modelControlMode: 'poll', repositoryPollMs: 10 };

/** The statuses of `/ready` and `/v2/health/ready`, and ServerReady over gRPC. */
async function readiness(files: Files, settings: Partial<Config> = {}) {
  const found: unknown[] = [];
  await withClient(
    files,
    async (client, server) => {
      found.push((await server.get('/ready')).status);
      found.push((await server.get('/v2/health/ready')).status);
      found.push((await client.call('ServerReady', {})).ready);
    },
    settings,
  );
  return found;
}

describe('both readiness routes and gRPC report', () => {
  test('ready with a model', async () => assert.deepEqual(await readiness(GOOD), [200, 200, true]));

  test('not ready with an empty repository', async () => {
    assert.deepEqual(await readiness({}), [503, 503, false]);
    assert.deepEqual(await readiness({}, POLL), [503, 503, false]);
    assert.deepEqual(await readiness({ 'm/README.md': 'none' }), [503, 503, false]);
  });

  test('not ready if no model can be loaded', async () => {
    assert.deepEqual(await readiness({ 'm/1/model.onnx': 'bad' }), [503, 503, false]);
  });

  test('ready before the first load with MODEL_CONTROL_MODE=explicit', async () => {
    const explicit: Partial<Config> = { modelControlMode: 'explicit' };
    assert.deepEqual(await readiness(GOOD, explicit), [200, 200, true]);
    const named = { ...explicit, loadModels: ['m'] };
    assert.deepEqual(await readiness({ 'm/1/model.onnx': 'bad' }, named), [503, 503, false]);
  });

  test('ready although a version folder has no model file', async () => {
    assert.deepEqual(await readiness({ ...GOOD, 'good/2/x.txt': '' }), [200, 200, true]);
  });
});

describe('skipped entries of the repository', () => {
  test('are listed in /ready by name with a reason, without paths', async () => {
    await using server = await inference({ ...GOOD, 'good/2/x.txt': '', 'other/x.pt': '' });
    const { json, text } = await server.get('/ready');
    assert.deepEqual(json.skipped, [
      { name: 'good/2', reason: 'It holds no model file: expected model.onnx' },
      {
        name: 'other',
        reason: 'It holds no model file: expected model.onnx in a folder for each version',
      },
    ]);
    assert.ok(!text.includes(server.root));
  });

  test('are absent from /ready if there are none', async () => {
    await using server = await inference(GOOD);
    assert.equal((await server.get('/ready')).json.skipped, undefined);
  });

  test('are refused by load with the reason', async () => {
    await using server = await inference(
      { ...GOOD, 'm/1/a.onnx': '=identity-float32', 'm/1/b.onnx': '=identity-float32' },
      { modelControlMode: 'explicit' },
    );
    const { status, json } = await server.post('/v2/repository/models/m/load', '');
    assert.equal(status, 404);
    assert.match(json.error, /has no model 'm'\. It holds no model file/);
  });
});

describe('a file that is not named model.onnx', () => {
  test('is served, and the notes of the version name it', async () => {
    await using server = await inference({ 'm/1/best.onnx': '=identity-float32' });
    const { json } = await server.get('/ready');
    assert.match(json.models[0].versions[0].notes[0], /model file is best\.onnx/);
    assert.equal((await server.get('/v2/models/m/ready')).status, 200);
  });

  test('can be sent with a load request', async () => {
    await using server = await inference(GOOD, { modelControlMode: 'explicit' });
    const file = Buffer.from('not a model').toString('base64');
    const load = (parameters: object) =>
      server.post('/v2/repository/models/m/load', { parameters: { config: '{}', ...parameters } });
    const two = await load({ 'file:1/a.onnx': file, 'file:1/b.onnx': file });
    assert.equal(two.status, 400);
    assert.match(two.json.error, /Cannot load 'm': Version 1: It holds several models/);
    const named = { config: '{"default_model_filename": "net.onnx"}', 'file:1/a.onnx': file };
    assert.match((await load(named)).json.error, /no file net\.onnx/);
  });
});

describe('a repository that changes while it is served', () => {
  test('entries that cannot be read are skipped, and polling continues', async () => {
    await using server = await inference(GOOD, POLL);
    symlinkSync('nowhere', path.join(server.root, 'dangling'));
    symlinkSync('nowhere', path.join(server.root, 'good', 'dangling'));
    symlinkSync('loop', path.join(server.root, 'loop'));
    const models = async () => (await server.get('/v2/models')).json.models.join();
    await until(() => server.runtime.repository.skipped().length === 3, 'the junk is seen');
    const index = await server.post('/v2/repository/index', '');
    assert.deepEqual([index.status, index.json.length], [200, 1]);
    server.write({ 'later/1/model.onnx': '=identity-float32' });
    await until(async () => (await models()) === 'good,later', 'polling goes on');
    assert.equal((await server.get('/v2/health/ready')).status, 200);
  });

  test('a model whose folder has become invalid is served until the folder is removed', async () => {
    await using server = await inference(GOOD, POLL);
    const reason = async () => (await server.post('/v2/repository/index', '')).json[0]?.reason;
    rmSync(path.join(server.root, 'good/1'), { recursive: true });
    await until(async () => (await reason()) !== undefined, 'it is seen');
    assert.match(await reason(), /A newer one cannot be served: It holds no model file/);
    assert.equal((await server.get('/v2/models/good/ready')).status, 200);
    server.write({ 'good/2/model.onnx': '=identity-float32' });
    const versions = async () => (await server.get('/v2/models/good')).json.versions.join();
    await until(async () => (await versions()) === '2', 'the new version is served');
    assert.equal(await reason(), undefined);
    rmSync(path.join(server.root, 'good'), { recursive: true });
    await until(async () => (await server.get('/ready')).status === 503, 'it is gone');
  });
});
