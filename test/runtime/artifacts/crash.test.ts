/** @module A process that is killed while it stores or fetches an artifact. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hashArtifact, openArtifacts } from '../../../runtime/artifacts/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { filesIn, killAt, NO_S3 } from './support.ts';

const BYTES = 1_000_000;

function model(): ReturnType<typeof temporaryFiles> {
  const files = temporaryFiles({ 'model/model.onnx': 'graph', 'single.onnx': '' });
  writeFileSync(path.join(files.path, 'model/weights.bin'), randomBytes(BYTES));
  writeFileSync(path.join(files.path, 'single.onnx'), randomBytes(BYTES));
  return files;
}

// Within the first file, within the second one, and when only the list of files is missing.
for (const bytes of [1, 300_000, BYTES + 5]) {
  test(`after ${bytes} bytes, a kill leaves no half of a folder, and the next start nothing`, async () => {
    using files = model();
    const folder = path.join(files.path, 'store');
    const source = path.join(files.path, 'model');
    assert.ok(await killAt(bytes, ['put', folder, source]));
    const store = openArtifacts({ artifacts: folder, s3: NO_S3 });
    const artifact = await hashArtifact(source);
    assert.equal(await store.has(artifact.digest), false);
    await assert.rejects(store.fetch(artifact.digest, path.join(files.path, 'copy')));
    assert.ok(filesIn(folder).length > 0);
    await store.sweep();
    assert.deepEqual(filesIn(folder), []);
    await store.put(artifact);
    await store.fetch(artifact.digest, path.join(files.path, 'copy'));
  });
}

test('a kill while a model file is stored leaves nothing that can be fetched', async () => {
  using files = model();
  const folder = path.join(files.path, 'store');
  const source = path.join(files.path, 'single.onnx');
  assert.ok(await killAt(500_000, ['put', folder, source]));
  const store = openArtifacts({ artifacts: folder, s3: NO_S3 });
  const artifact = await hashArtifact(source);
  assert.equal(await store.has(artifact.digest), false);
  await store.sweep();
  assert.deepEqual(filesIn(folder), []);
});

test('a sweep leaves what another process is storing, which then succeeds', async () => {
  using files = model();
  const store = openArtifacts({ artifacts: path.join(files.path, 'store'), s3: NO_S3 });
  const artifact = await hashArtifact(path.join(files.path, 'model'));
  const sweeps: Promise<void>[] = [];
  await store.put(artifact, { onProgress: () => void sweeps.push(store.sweep()) });
  await Promise.all(sweeps);
  assert.ok(sweeps.length > 2);
  await store.fetch(artifact.digest, path.join(files.path, 'copy'));
});

test('a kill during a fetch leaves no copy, and the next fetch goes on', async () => {
  using files = model();
  const folder = path.join(files.path, 'store');
  const copy = path.join(files.path, 'copies/copy');
  const store = openArtifacts({ artifacts: folder, s3: NO_S3 });
  const artifact = await hashArtifact(path.join(files.path, 'model'));
  await store.put(artifact);
  assert.ok(await killAt(600_000, ['fetch', folder, copy, artifact.digest]));
  assert.equal(existsSync(copy), false);
  const received: number[] = [];
  await store.fetch(artifact.digest, copy, { onProgress: (done) => received.push(done) });
  assert.ok(received[0]! > 600_000, String(received[0]));
  assert.deepEqual(readdirSync(path.join(files.path, 'copies')), ['copy']);
});
